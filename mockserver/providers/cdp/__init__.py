"""Coinbase CDP: accounts and their balances; every request carries a JWT."""
