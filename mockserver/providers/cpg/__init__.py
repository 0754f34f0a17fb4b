"""The Crypto Payment Gateway: balances and withdrawals, signed in X-CPG headers."""
