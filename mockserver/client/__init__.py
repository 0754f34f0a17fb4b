"""What Python users hold: servers, sandboxes, providers, the pytest plugin."""
