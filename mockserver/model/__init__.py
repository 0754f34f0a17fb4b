"""Values and pure functions: no clock, no randomness, no I/O, no state."""
