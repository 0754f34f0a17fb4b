"""Requests in and out of other forms: pasted lines, curl, offline checks, made-up worlds."""
