"""All state of the server. It knows no provider by name, no socket and no real time."""
