"""Requests from other forms (curl lines, HAR, raw text), offline checks, generated worlds."""
