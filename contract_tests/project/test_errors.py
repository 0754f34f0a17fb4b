"""The error tree, and what its errors carry in Python, over HTTP and in files."""

import ast
import inspect
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

import mockserver
from mockserver import MockServer, control, create_app, errors
from mockserver.client.remote import RemoteServer
from mockserver.errors import (
    ControlError,
    DataError,
    FileError,
    InvalidCall,
    MockServerError,
    SettingError,
    VerificationError,
    json_path,
)
from mockserver.files import scenarios, worlds
from mockserver.model.typed_data import at, convert

D = "/sandboxes/default"


def tree() -> set[type]:
    named = (getattr(errors, name) for name in errors.__all__)
    return {kind for kind in named if inspect.isclass(kind)}


def test_every_error_is_exported_derives_from_one_base_and_is_in_the_tree() -> None:
    assert errors.__all__ == sorted(errors.__all__)
    assert mockserver.errors is errors
    defined = {kind for _, kind in inspect.getmembers(errors, inspect.isclass)}
    assert tree() == {kind for kind in defined if kind.__module__ == "mockserver.errors"}
    for kind in tree():
        assert issubclass(kind, MockServerError)
        assert kind.__name__ in (errors.__doc__ or "")


def test_the_module_of_errors_imports_nothing_of_ours() -> None:
    nodes = ast.walk(ast.parse(Path(errors.__file__).read_text("utf-8")))
    imported = {
        getattr(node, "module", "") or "" for node in nodes if isinstance(node, ast.ImportFrom)
    }
    assert not any(name.startswith("mockserver") for name in imported)
    code = "import sys, mockserver.errors; print([m for m in sys.modules if m.startswith('mockserver')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['mockserver', 'mockserver.errors']\n"


PATHS = [
    ((), "$"),
    (("rules", 0, "match"), "$.rules[0].match"),
    (("quirks", "cpg.replay"), '$.quirks["cpg.replay"]'),
    (("header", "x-y"), '$.header["x-y"]'),
    (('a"b\n',), '$["a\\"b\\n"]'),
    (("",), '$[""]'),
    (("\ud800",), '$["\\ud800"]'),
]


@pytest.mark.parametrize(("path", "text"), PATHS)
def test_a_path_is_spelled_as_a_json_path(path: tuple[str | int, ...], text: str) -> None:
    assert json_path(path) == text


# How msgspec words a mistake: the format that ``typed_data`` splits, and the path it ends in.


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    n: int = 0


class Outer(msgspec.Struct, forbid_unknown_fields=True):
    inner: Inner | None = None
    items: list[Inner] = []
    by_name: dict[str, dict[str, Inner]] = {}


SENTENCES: list[tuple[Any, str, tuple[str | int, ...]]] = [
    ([], "Expected `object`, got `array`", ()),
    ({"x": 1}, "Object contains unknown field `x`", ("x",)),
    ({"inner": {"n": "a"}}, "Expected `int`, got `str` - at `$.inner.n`", ("inner", "n")),
    ({"items": [{}, {"m": 1}]}, "Object contains unknown field `m` - at `$.items[1]`", ("items", 1, "m")),
    ({"by_name": {"a": {}, "b.c": {"d": {}, "e": {"n": 0.5}}}}, "Expected `int`, got `float` - at `$.by_name[...][...].n`", ("by_name", "b.c", "e", "n")),
]  # fmt: skip


@pytest.mark.parametrize(("data", "sentence", "path"), SENTENCES)
def test_msgspec_words_its_errors_as_they_are_split(
    data: Any, sentence: str, path: tuple[str | int, ...]
) -> None:
    with pytest.raises(msgspec.ValidationError) as theirs:
        msgspec.convert(data, Outer)
    assert str(theirs.value) == sentence
    with pytest.raises(DataError) as ours:
        convert(data, Outer)
    assert (ours.value.message, ours.value.path) == (sentence.partition(" - at ")[0], path)


class Checked(msgspec.Struct):
    names: list[str]

    def __post_init__(self) -> None:
        for n, name in enumerate(self.names):
            if not name:
                raise DataError("a name is empty", ("names", n))


def test_a_struct_s_own_check_adds_its_path() -> None:
    with pytest.raises(DataError) as error:
        convert({"a": {"names": ["x"]}, "b": {"names": ["x", ""]}}, dict[str, Checked])
    assert (error.value.message, error.value.path) == ("a name is empty", ("b", "names", 1))


def test_paths_are_joined_from_the_outside_in() -> None:
    with pytest.raises(DataError) as error, at("rules", 2), at("match"):
        raise ValueError("odd")
    assert (error.value.message, error.value.path) == ("odd", ("rules", 2, "match"))
    with pytest.raises(DataError) as error, at("scenario"):
        raise SettingError("odd", ("quirks", "cpg.replay"))
    assert str(error.value) == '$.scenario.quirks["cpg.replay"]: odd'


# Settings: the same kind of error in Python, over HTTP, in TOML and in YAML

SETTINGS: list[tuple[dict[str, Any], tuple[str | int, ...]]] = [
    ({"quirks": {"cpg.nope": 1}}, ("quirks", "cpg.nope")),
    ({"quirks": {"cpg.replay": "maybe"}}, ("quirks", "cpg.replay")),
    ({"quirks": {"coinstats.credits": 2.5}}, ("quirks", "coinstats.credits")),
    ({"quirks": {"coinstats.credits": True}}, ("quirks", "coinstats.credits")),
    ({"quirks": {"cpg.timestamp_window": float("nan")}}, ("quirks", "cpg.timestamp_window")),
    (
        {"quirks": {"cpg.timestamp_window": timedelta(seconds=-1)}},
        ("quirks", "cpg.timestamp_window"),
    ),
    ({"quirks": {"cpg.replay": []}}, ("quirks", "cpg.replay")),
    ({"limits": {"cpg.nope": "off"}}, ("limits", "cpg.nope")),
    ({"limits": {"cpg.key": 5}}, ("limits", "cpg.key")),
    ({"limits": 5}, ("limits",)),
    ({"limits": "some"}, ("limits",)),
    ({"scenario": {"rules": [{"name": "A"}]}}, ("rules", 0, "name")),
    ({"world": "nope"}, ()),
    ({"scenario": "nope"}, ()),
    ({"public_url": "ftp://x"}, ()),
    ({"admin_token": "\n"}, ()),
    ({"memory_budget": "much"}, ()),
    ({"memory_budget": 1}, ()),
    ({"max_sandboxes": 0}, ()),
]


@pytest.mark.parametrize(("settings", "path"), SETTINGS)
def test_a_wrong_setting_in_python_is_a_setting_error(
    settings: dict[str, Any], path: tuple[str | int, ...]
) -> None:
    with pytest.raises(SettingError) as error:
        create_app(**settings)
    assert isinstance(error.value, ValueError)
    assert error.value.path == path
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "settings", [{"head_timeout": 0}, {"max_connections": 0}, {"host": "0.0.0.0"}]
)
def test_a_wrong_bound_of_a_server_is_a_setting_error(settings: dict[str, Any]) -> None:
    with pytest.raises(SettingError):
        MockServer(**settings)


def test_a_wrong_file_says_file_line_and_path(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("rules: []\nquirks:\n  coinw.bans: 'on'\n  cpg.replay: maybe\n")
    with pytest.raises(FileError) as error:
        scenarios.load(str(file))
    wrong = error.value
    assert isinstance(wrong, SettingError)
    assert (wrong.file, wrong.line, wrong.path) == (str(file), 4, ("quirks", "cpg.replay"))
    assert wrong.message == "quirk cpg.replay: 'maybe' is none of on, off"
    with pytest.raises(FileError) as error:
        worlds.load("nope")
    assert (error.value.file, error.value.line, error.value.path) == ("nope", None, ())


def test_a_refused_call_is_the_same_in_process_and_over_http() -> None:
    with MockServer() as server:
        remote = RemoteServer(server.url)
        for handle in (server, remote):
            with pytest.raises(SettingError) as wrong:
                handle.sandbox(quirks={"cpg.replay": "maybe"})
            refused = wrong.value
            assert isinstance(refused, InvalidCall)
            assert (refused.status, refused.at) == (400, '$.quirks["cpg.replay"]')
            assert refused.error == "quirk cpg.replay: 'maybe' is none of on, off"
            assert refused.hint == "see /__admin/providers"
            gone = handle.sandbox("gone")
            handle.drop(gone)
            with pytest.raises(ControlError) as missing:
                gone.reset()
            assert (missing.value.status, missing.value.error) == (404, "no sandbox gone")
            assert not isinstance(missing.value, SettingError)
            with pytest.raises(VerificationError) as miss:
                handle.verify(provider="cpg", exactly=3)
            assert isinstance(miss.value, AssertionError)
            assert (miss.value.count, list(miss.value.nearest)) == (0, [])


def test_a_refused_call_carries_its_further_members() -> None:
    app = create_app()
    body = {"match": {"provider": "cpg"}, "exactly": 1}
    with pytest.raises(ControlError) as refused:
        control.call(app.state.exchange, "POST", f"{D}/requests/verify", body)
    assert refused.value.facts == {"count": 0, "nearest": []}
    assert refused.value.body == {
        "error": "0 requests match",
        "at": "$",
        "hint": "see nearest",
        "count": 0,
        "nearest": [],
    }
