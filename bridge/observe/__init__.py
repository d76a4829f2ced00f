"""What the bridge says about itself: logs and metrics."""
