"""Real clients, and one that writes its bytes by hand."""
