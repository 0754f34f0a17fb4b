"""The socket tests with the oldest and the newest servers and parsers that were run."""
