"""The pages for people: dashboard, documents and facts. They call the control API alone."""
