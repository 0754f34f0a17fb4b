"""Made-up worlds: people, coins and amounts that depend on a seed and nothing else."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from faker import Faker
from faker.providers.currency import Provider as Currencies
from msgspec.structs import fields

from mockserver.model.amounts import Amount, text
from mockserver.model.provider import GeneratedUser, Provider
from mockserver.model.signing import seeded
from mockserver.model.world import GeneratedAsset
from mockserver.providers import discover


def generate(accounts: int, assets: int, seed: int) -> str:
    """Returns a world as YAML: at every provider so many accounts, each of so many assets."""
    fake = Faker()
    fake.seed_instance(seed)
    people = _people(fake, accounts, seed)
    coins = _coins(fake, assets)
    sections = {
        name: _section(provider, people, coins, seed)
        for name, provider in discover().items()
        if provider.holder and provider.sample
    }
    told: dict[str, Any] = {"name": f"generated-{seed}", **sections}
    return yaml.safe_dump(told, sort_keys=False, default_flow_style=None, width=10_000)


def _people(fake: Faker, count: int, seed: int) -> list[GeneratedUser]:
    """Makes people up; the first has the label ``main``, as clients expect."""
    people = []
    for n in range(count):
        name = fake.name()
        label = name.lower().replace(".", "").replace(" ", "-") + f"-{n}" if n else "main"
        people.append(GeneratedUser(label, name, seeded(seed, "person", n, size=64)))
    return people


def _coins(fake: Faker, count: int) -> list[GeneratedAsset]:
    """Takes real coins in a random order; beyond those there are, numbered tokens."""
    known = fake.random_sample(Currencies.cryptocurrencies, len(Currencies.cryptocurrencies))
    real = [GeneratedAsset(symbol, name) for symbol, name in dict(known).items()][:count]
    return real + [GeneratedAsset(f"T{n:06d}", f"Token {n}") for n in range(len(real), count)]


def _section(
    provider: Provider, people: Sequence[GeneratedUser], coins: Sequence[GeneratedAsset], seed: int
) -> dict[str, Any]:
    keys, accounts = {}, {}
    for person in people:
        key, id, account = provider.holder(person)  # type: ignore[misc]
        keys[person.label] = key
        rows = [_row(provider, n, coin, seed, person) for n, coin in enumerate(coins)]
        accounts[id] = {**account, "balances": rows}
    return {"keys": keys, "accounts": accounts}


def _row(
    provider: Provider, n: int, coin: GeneratedAsset, seed: int, person: GeneratedUser
) -> Mapping[str, Any]:
    digest = seeded(seed, provider.name, person.label, n, size=16)
    row = provider.sample(n, digest, coin)  # type: ignore[misc]
    told = {}
    for field in fields(row):
        value = getattr(row, field.name)
        if field.required or value != field.default:
            told[field.name] = text(value) if isinstance(value, Amount) else value
    return told
