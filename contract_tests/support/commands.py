"""The command ``mockserver`` in this process."""

from typing import NamedTuple

import pytest

from mockserver.cli.main import main


class Ended(NamedTuple):
    """A command that ended: its exit status and what it wrote."""

    status: int
    stdout: str
    stderr: str


def run_here(capsys: pytest.CaptureFixture[str], *args: str) -> Ended:
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(list(args))
    status = ended.value.code
    return Ended(status if isinstance(status, int) else 1, *capsys.readouterr())
