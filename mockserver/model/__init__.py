"""Values and pure functions: no state, no clock, no randomness, no I/O."""
