"""The loops: load, decide, record. Decisions themselves are in `bridge.domain`, `bridge.routing` and `bridge.hooks`."""
