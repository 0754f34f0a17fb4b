"""Tables of rows as the parameters of a test."""

from collections.abc import Iterable, Sequence
from typing import Any

import pytest


def each(names: str, rows: Iterable[Sequence[Any]]) -> pytest.MarkDecorator:
    """Parametrizes a test by rows: the first member of a row is its id, the others have names."""
    rows = list(rows)
    values = [row[1:] if "," in names else row[1] for row in rows]
    return pytest.mark.parametrize(names, values, ids=[str(row[0]) for row in rows])
