"""The audit log's chain: hashing, signed checkpoints, verification and export."""
