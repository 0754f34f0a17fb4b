"""Sockets: connections, routing, deliveries, the application and its server."""
