"""Report cards for clients: checks a client in any language against the mock server.

``checks`` declares what is checked, ``clients`` runs a client, ``run`` grades it, ``reports``
writes the card. The server is reached through ``client`` alone.
"""
