"""``python -m mockserver`` is the command ``mockserver``."""

from mockserver.edge.cli import main

main(prog_name="mockserver")
