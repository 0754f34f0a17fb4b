"""CoinStats: the balances of one exchange connection, as a portfolio."""
