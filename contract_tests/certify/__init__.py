"""Clients that are certified: the reference clients, and planted defects of them."""
