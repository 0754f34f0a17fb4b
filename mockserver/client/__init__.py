"""The Python interface: servers, sandboxes and providers as objects, and the pytest plugin."""
