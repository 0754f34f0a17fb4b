"""CoinAPI EMS: the balances of an account on several exchanges."""
