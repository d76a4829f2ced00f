"""Who must know: matchers and the route tree, with Alertmanager's semantics."""
