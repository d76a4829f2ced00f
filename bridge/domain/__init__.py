"""Pure values and decisions. Nothing here does I/O or reads a clock: `now` is always an argument."""
