"""Fuzzing of a running server: damaged bytes, and well-formed requests with odd content.

``python -m contract_tests.fuzz --requests 1000000 --seed 490`` runs both against a server in a
process of its own; ``make test`` runs a bounded sample.
"""
