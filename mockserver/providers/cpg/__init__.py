"""The Crypto Payment Gateway, recognised by its X-CPG headers."""
