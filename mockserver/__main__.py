"""``python -m mockserver`` is the command ``mockserver``."""

from mockserver.cli.main import main

main(prog_name="mockserver")
