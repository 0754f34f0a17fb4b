"""What ``make bench`` runs: our read beside a bare application on the same server."""
