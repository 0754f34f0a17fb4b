"""CoinW spot: balances by a POST whose parameters are signed with MD5."""
