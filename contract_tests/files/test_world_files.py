"""World files: an error is one line with file, line and path."""

from pathlib import Path

import pytest
from msgspec.structs import astuple

from contract_tests.support.raw import exchange, wire
from mockserver import MockServer
from mockserver.files import lookup as files
from mockserver.files import worlds
from mockserver.providers import discover
from mockserver.tools.generate import generate

KEY = "    main: {key_id: a, secret: b, account: c}\n"
ROW = "{asset: USDT, venue: ETH, decimals: 6, total: %s}"


def cpg(rows: str) -> str:
    return f"cpg:\n  keys:\n{KEY}  accounts:\n    c:\n      balances:\n{rows}"


def row(total: str) -> str:
    return cpg(f"        - {ROW % total}\n")


WRONG = [
    ("a section of no provider", "kraken: {}\n", 1, "$.kraken: no provider kraken"),
    ("a provider misspelt", "cgp: {}\n", 1, "did you mean cpg?"),
    ("a section misspelt", "cpg:\n  kees: {}\n", 2, "$.cpg.kees: Object contains unknown field `kees`; did you mean keys?"),
    ("a member misspelt", "cpg:\n  keys:\n    main: {key_id: a, secrt: b, account: m}\n", 3, "did you mean secret?"),
    ("a permission misspelt", "cpg:\n  keys:\n    main: {key_id: a, secret: b, account: m, permissions: [withdrw]}\n", 3, "did you mean withdraw?"),
    ("a name that is no text", "name: 7\n", 1, "$.name: name is text"),
    ("an unknown member", f"cpg:\n  keys:\n{KEY}  foo: 1\n", 4, "$.cpg.foo: Object contains unknown"),
    ("an unknown member of a key", "cpg:\n  keys:\n    main:\n      key_id: a\n      x: 1\n", 5, "$.cpg.keys.main.x"),
    ("a missing member", "cpg:\n  keys:\n    k1: {key_id: a, secret: b, account: c}\n    k2: {key_id: d}\n", 4, "$.cpg.keys.k2: Object missing required field `secret`"),
    ("a key of the wrong type", "coinapi:\n  keys:\n    main: {api_key: 7, account: a}\n", 3, "$.coinapi.keys.main.api_key: Expected `str`, got `int`"),
    ("a key given twice", "cpg:\n  keys: {}\n  keys: {}\n", 3, "the key keys is given twice"),
    ("a float", row("1.5"), 7, '$.cpg.accounts.c.balances[0].total: an amount is a quoted string: write "1.5"'),
    ("an integer", row("15"), 7, "$.cpg.accounts.c.balances[0].total: an amount is a quoted string"),
    ("a word", row('"ten"'), 7, "$.cpg.accounts.c.balances[0].total: 'ten' is no amount"),
    ("a text that looks like a place", row('"1 - at `$.x"'), 7, "'1 - at `$.x' is no amount"),
    ("an exponent", row('"1e3"'), 7, "'1e3' is no amount"),
    ("foreign digits", row('"\u0661"'), 7, "is no amount"),
    ("not a number", row('"NaN"'), 7, "is no amount"),
    ("81 digits", row(f'"{"9" * 81}"'), 7, "an amount has at most 80 digits"),
    ("41 places", row(f'"0.{"0" * 40}1"'), 7, "40 after the point"),
    ("a negative total", row('"-1"'), 7, "$.cpg.accounts.c.balances[0]: held 0 must lie between"),
    ("more held than there is", cpg('        - {asset: A, total: "1", held: "2"}\n'), 7, "held 2 must lie between 0 and total 1"),
    ("finer than the currency", cpg('        - {asset: A, decimals: 2, total: "1.001"}\n'), 7, "1.001 needs more than 2 decimals"),
    ("the second row wrong", cpg('        - {asset: A, total: "1"}\n        - {asset: B, total: 2}\n'), 8, "balances[1].total"),
    ("a row twice", cpg('        - {asset: A, total: "1"}\n        - {asset: A, total: "2"}\n'), 8, "$.cpg.accounts.c.balances[1]: account c lists A twice at no venue"),
    ("an account that is not there", f"cpg:\n  keys:\n{KEY}", 3, "$.cpg.keys.main.account: key main names account 'c'"),
    ("two keys alike", f"cpg:\n  keys:\n{KEY}{KEY.replace('main', 'more')}  accounts: {{c: {{}}}}\n", 4, "$.cpg.keys.more: keys main and more are the same"),
    ("no permission of that name", "cpg:\n  keys:\n    m: {key_id: a, secret: b, account: c, permissions: [all]}\n", 3, "no permission 'all'"),
    ("no network", "cpg:\n  keys:\n    m: {key_id: a, secret: b, account: c, ip_whitelist: [here]}\n", 3, "'here' does not appear to be an IPv4"),
    ("a row on an exchange not connected", 'coinapi:\n  accounts:\n    a:\n      balances: [{asset: X, venue: Y, total: "1"}]\n', 3, "X is on 'Y', which is not connected"),
    ("an unknown source", 'coinapi:\n  accounts:\n    a:\n      exchanges: [Y]\n      balances: [{asset: X, venue: Y, total: "1", last_updated_by: ME}]\n', 5, "last_updated_by must be one of"),
    ("an unreachable stranger", "coinapi: {unreachable: [FOO]}\n", 1, "FOO is unreachable, but not connected to any account"),
    ("a negative price", 'coinapi:\n  accounts:\n    a:\n      exchanges: [Y]\n      balances: [{asset: X, venue: Y, total: "1", rate_usd: "-1"}]\n', 5, "rate_usd and traded must not be negative"),
    ("a negative volume", 'coinapi:\n  accounts:\n    a:\n      exchanges: [Y]\n      balances: [{asset: X, venue: Y, total: "1", traded: "-1"}]\n', 5, "rate_usd and traded must not be negative"),
    ("too many rows", "cpg:\n  accounts:\n    c: {generate: {rows: 1000001}}\n", 3, "rows must lie between"),
    ("a list", "- 1\n", 1, "a world is a mapping"),
    ("nothing", "", 1, "a world is a mapping"),
    ("no YAML", "cpg: [\n", 2, "did not find expected node content"),
    ("a control character", "name: \x00\n", 1, "control characters"),
    ("an alias", "a: &a 1\nb: *a\n", 2, "aliases (*name) are not read"),
    ("a key that is no text", "cpg:\n  keys: {1: {}}\n", 2, "the key 1 must be text"),
    ("nested without end", "name: " + "[" * 5000 + "]" * 5000, 1, "nested too deeply"),
]  # fmt: skip


@pytest.mark.parametrize(("about", "text", "line", "what"), WRONG, ids=[w[0] for w in WRONG])
def test_a_wrong_world_is_rejected_in_one_line(
    tmp_path: Path, about: str, text: str, line: int, what: str
) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(files.FileError) as error:
        worlds.load(str(file))
    message = str(error.value)
    assert message.startswith(f"{file}:{line}: $"), message
    assert what in message
    assert "\n" not in message


def test_a_binary_or_missing_file_is_rejected(tmp_path: Path) -> None:
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    for name in (str(binary), str(tmp_path), "nowhere"):
        with pytest.raises(files.FileError, match=name):
            worlds.load(name)


TRAPS = [
    ("012", "012"),
    ("12:30:45", "12:30:45"),
    ("on", "on"),
    ("2026-01-01", "2026-01-01"),
    ("0x10", "0x10"),
    ("yes", "yes"),
]


@pytest.mark.parametrize(("plain", "read"), TRAPS)
def test_plain_words_stay_text(plain: str, read: str) -> None:
    text = (
        f"coinapi:\n  keys:\n    main: {{api_key: {plain}, account: a}}\n  accounts: {{a: {{}}}}\n"
    )
    part = worlds.read(text, "traps").parts["coinapi"]
    assert part.section.keys["main"].api_key == read


def test_the_scale_of_an_amount_is_kept() -> None:
    part = worlds.read(row('"400.000"'), "scale").parts["cpg"]
    assert str(part.accounts["c"].rows["USDT", "ETH"].total) == "400.000"


def test_a_world_is_a_name_a_path_or_data() -> None:
    for world in ("empty", worlds.find("empty"), {"name": "empty"}):
        assert MockServer(world).app.sandboxes.default.world.name == "empty"
    with pytest.raises(ValueError, match=r"^\$\.cpgg: no provider cpgg: .* did you mean cpg\?$"):
        MockServer({"cpgg": {}})
    wrong = "a world is the name of a shipped one, a path or a mapping, not int"
    with pytest.raises(ValueError, match=f"^{wrong}$"):
        MockServer(5)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", worlds.shipped())
def test_a_shipped_world_is_valid_and_has_a_section_for_every_provider(name: str) -> None:
    world = worlds.load(name)
    assert (world.name, list(world.parts)) == (name, list(discover()))
    for provider in world.parts:
        labels = {key.label for key in world.parts[provider].all_keys.values()}
        assert {"main"} | {f"reject-{r}" for r in discover()[provider].errors} <= labels


def test_the_whale_has_100_000_rows_at_every_provider() -> None:
    for part in worlds.load("whale").parts.values():
        (account,) = part.section.accounts.values()
        assert account.generate.rows == 100_000


def test_generated_rows_are_the_same_each_time() -> None:
    text = worlds.find("whale").read_text(encoding="utf-8").replace("100000", "200")
    first, second = (worlds.read(text, "whale") for _ in range(2))
    for name, part in first.parts.items():
        ((id, held),) = part.accounts.items()
        assert len(held.rows) == 200
        others = second.parts[name].accounts[id].rows
        assert all(astuple(row) == astuple(others[place]) for place, row in held.rows.items())


def test_listed_rows_come_beside_generated_ones() -> None:
    listed = "{asset: USDT, venue: ETH, total: '1'}"
    text = f"cpg: {{accounts: {{a: {{balances: [{listed}], generate: {{rows: 2}}}}}}}}"
    rows = worlds.read(text, "both").parts["cpg"].accounts["a"].rows
    assert [asset for asset, _ in rows] == ["USDT", "T000000", "T000001"]


def test_generated_rows_depend_on_their_seed() -> None:
    def total(seed: int) -> object:
        text = f"cpg: {{accounts: {{a: {{generate: {{rows: 1, seed: {seed}}}}}}}}}"
        return (
            worlds.read(text, "generated").parts["cpg"].accounts["a"].rows["T000000", "ETH"].total
        )

    assert total(1) == total(1) != total(2)


def test_a_file_above_the_size_limit_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "large.yaml"
    file.write_text("name: large\n")
    monkeypatch.setattr(files, "SIZE_MAX", 5)
    with pytest.raises(files.FileError, match="larger than 5 bytes"):
        worlds.load(str(file))


def test_a_world_needs_no_section_for_every_provider() -> None:
    world = worlds.read("name: small\n", "file")
    assert (world.name, world.parts["cpg"].credentials) == ("small", {})


# Generated worlds


def test_a_generated_world_is_valid_and_depends_only_on_its_seed() -> None:
    text = generate(accounts=2, assets=60, seed=7)
    assert text == generate(accounts=2, assets=60, seed=7)
    assert text != generate(accounts=2, assets=60, seed=8)
    world = worlds.read(text, "generated")
    for name, part in world.parts.items():
        assert len(part.section.keys) == len(part.accounts) == 2, name
        assert [len(held.rows) for held in part.accounts.values()] == [60] * 2


def test_a_generated_world_can_be_served() -> None:
    world = worlds.read(generate(accounts=2, assets=3, seed=490), "generated")
    with MockServer(world) as server:
        for name in discover():
            handle = getattr(server, name)
            for label in world.parts[name].section.keys:
                answer = exchange(
                    handle.base_url, wire(handle.auth_as(label).example(handle.base_url))
                )
                assert answer.startswith(b"HTTP/1.1 200 "), (name, label)
