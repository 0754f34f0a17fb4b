"""Coinbase CDP: the balances of an account, behind a JWT."""
