"""Finds a piece of Python by what it says, and puts another in its place.

A piece is an expression, one statement or several in a row, or one or several neighbours among
the arguments of a call, the elements of a list, or the pairs of a dict, written as in the source
(``"key": value, "other": value`` or ``name=value``). It is compared as ``ast.unparse`` writes it,
so line breaks, indentation, quotes and comments do not matter, and looked for ``within`` a
function, a class (``Class.method``) or a name bound in the module; with no name, in all that
stands at module level.

Everything around the piece stays as it is, byte for byte.
"""

import ast
from collections.abc import Iterator, Sequence
from textwrap import dedent
from typing import NamedTuple, TypeVar

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
RUN_MAX = 6  # neighbours in one piece

T = TypeVar("T")


class Piece(NamedTuple):
    """Where a piece stands: offsets in the UTF-8 source, its column, what it says.

    ``kind`` is ``expression``, ``statements``, ``elements`` or ``pairs``.
    """

    start: int
    end: int
    column: int
    kind: str
    says: str


def splice(source: str, within: str, find: str, put: str) -> str:
    """Returns the source with the one piece that says ``find`` replaced; raises ValueError."""
    wanted = _says(find)
    scopes = scopes_of(ast.parse(source), within)
    if not scopes:
        raise ValueError(f"there is no {within!r}")
    found = {
        (piece.start, piece.end): piece
        for piece in pieces(source, scopes)
        if wanted.get(piece.kind) == piece.says
    }
    if len(found) != 1:
        where = f"in {within!r}" if within else "at module level"
        raise ValueError(f"{find!r} is {len(found)} times {where}, not once")
    [piece] = found.values()
    return replaced(source, piece, put)


def replaced(source: str, piece: Piece, put: str) -> str:
    """Returns the source with a piece replaced by one of its kind; raises ValueError."""
    if piece.kind not in _says(put):
        raise ValueError(f"{put!r} cannot stand in the place of {piece.says!r}")
    raw = source.encode()
    text = dedent(put).strip("\n")
    if piece.kind == "statements":
        text = text.replace("\n", "\n" + " " * piece.column)
    patched = (raw[: piece.start] + text.encode() + raw[piece.end :]).decode()
    try:
        ast.parse(patched)
    except SyntaxError as error:
        raise ValueError(f"{put!r} makes no Python: {error}") from None
    return patched


def scopes_of(module: ast.Module, within: str) -> list[ast.stmt]:
    """Returns the statements that a name stands for, or those of the module level."""
    if not within:
        return [s for s in module.body if not isinstance(s, DEFINITIONS)]
    first, *names = within.split(".")
    found = [s for s in module.body if first in bound(s)]
    for name in names:
        inner = [n for s in found for n in ast.walk(s) if n is not s]
        found = [n for n in inner if isinstance(n, ast.stmt) and name in bound(n)]
    return found


def bound(statement: ast.stmt) -> list[str]:
    """Returns the names that a statement defines or assigns."""
    if isinstance(statement, DEFINITIONS):
        return [statement.name]
    if isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    else:
        targets = statement.targets if isinstance(statement, ast.Assign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


def pieces(source: str, scopes: Sequence[ast.stmt]) -> Iterator[Piece]:
    """Yields every piece of some statements, and the statements themselves."""
    lines = _line_starts(source)

    def piece(kind: str, says: str, first: ast.AST, last: ast.AST) -> Piece:
        start = lines[first.lineno - 1] + first.col_offset
        end = lines[last.end_lineno - 1] + last.end_col_offset
        return Piece(start, end, first.col_offset, kind, says)

    for scope in scopes:
        yield piece("statements", _unparsed([scope]), scope, scope)
        for node in _walk(scope):
            if isinstance(node, ast.expr) and hasattr(node, "lineno"):
                yield piece("expression", ast.unparse(node), node, node)
            for body in _bodies(node):
                for run in _runs(body):
                    yield piece("statements", _unparsed(run), run[0], run[-1])
            for run in _runs(_elements(node)):
                yield piece("elements", _listed(run), run[0], run[-1])
            for pairs in _runs(_pairs(node)):
                yield piece("pairs", _paired(pairs), pairs[0][0], pairs[-1][1])


def _says(find: str) -> dict[str, str]:
    """Returns what a written piece says, as each kind of piece that it can be read as."""
    text = dedent(find).strip()
    says: dict[str, str] = {}
    for kind, form in FORMS.items():
        try:
            body = ast.parse(form.format(text)).body
        except SyntaxError:
            continue
        if kind == "statements":
            says[kind] = _unparsed(body)
            continue
        [statement] = body
        value = statement.value if isinstance(statement, ast.Expr) else None
        if kind == "expression" and value is not None:
            says[kind] = ast.unparse(value)
        elif kind == "elements" and isinstance(value, ast.Call):
            says[kind] = _listed(_elements(value))
        elif kind == "pairs" and isinstance(value, ast.Dict):
            says[kind] = _paired(_pairs(value))
    if not says:
        raise ValueError(f"{find!r} is no Python")
    return says


FORMS = {"expression": "({}\n)", "elements": "f({}\n)", "pairs": "{{{}\n}}", "statements": "{}"}


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """Yields nodes as ``ast.walk``, but nothing in an f-string, whose parts have no true place."""
    yield node
    if not isinstance(node, ast.JoinedStr):
        for child in ast.iter_child_nodes(node):
            yield from _walk(child)


def _bodies(node: ast.AST) -> Iterator[list[ast.stmt]]:
    for name in ("body", "orelse", "finalbody"):
        body = getattr(node, name, None)
        if isinstance(body, list):
            yield body


def _elements(node: ast.AST) -> list[ast.AST]:
    """Returns the arguments of a call or a class, or the elements of a list, tuple or set."""
    if isinstance(node, ast.Call):
        found = [*node.args, *node.keywords]
    elif isinstance(node, ast.ClassDef):
        found = [*node.bases, *node.keywords]
    else:
        return list(node.elts) if isinstance(node, ast.List | ast.Tuple | ast.Set) else []
    return sorted(found, key=lambda one: (one.lineno, one.col_offset))


def _pairs(node: ast.AST) -> list[tuple[ast.expr, ast.expr]]:
    """Returns the pairs of a dict, up to the first ``**``."""
    if not isinstance(node, ast.Dict) or None in node.keys:
        return []
    return [(k, v) for k, v in zip(node.keys, node.values, strict=True) if k is not None]


def _runs(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for first in range(len(items)):
        for last in range(first + 1, min(first + RUN_MAX, len(items)) + 1):
            yield items[first:last]


def _unparsed(statements: Sequence[ast.stmt]) -> str:
    return "\n".join(ast.unparse(statement) for statement in statements)


def _listed(elements: Sequence[ast.AST]) -> str:
    return ", ".join(map(ast.unparse, elements))


def _paired(pairs: Sequence[tuple[ast.expr, ast.expr]]) -> str:
    return ", ".join(f"{ast.unparse(k)}: {ast.unparse(v)}" for k, v in pairs)


def _line_starts(source: str) -> list[int]:
    starts = [0]
    for line in source.encode().splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    return starts
