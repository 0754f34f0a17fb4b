"""Everything that changes; it knows no provider, no socket and no real time."""
