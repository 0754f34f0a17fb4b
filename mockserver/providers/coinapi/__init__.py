"""CoinAPI EMS: balances over several exchanges."""
