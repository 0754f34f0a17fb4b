"""CoinStats: the balances of an exchange connection, as a portfolio."""
