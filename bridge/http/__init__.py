"""The HTTP face: thin adapters between requests and the engine."""
