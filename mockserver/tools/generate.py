"""Generates worlds (seed data): users, coins and amounts that depend only on a seed."""

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
    """Returns a world as YAML with ``accounts`` at each provider, each with ``assets`` balances."""
    fake = Faker()
    fake.seed_instance(seed)
    users = _users(fake, accounts, seed)
    coins = _coins(fake, assets)
    sections = {
        name: _section(provider, users, coins, seed)
        for name, provider in discover().items()
        if provider.holder and provider.sample
    }
    world: dict[str, Any] = {"name": f"generated-{seed}", **sections}
    return yaml.safe_dump(world, sort_keys=False, default_flow_style=None, width=10_000)


def _users(fake: Faker, count: int, seed: int) -> list[GeneratedUser]:
    """Generates users; the first has the label ``main``, as clients expect."""
    users = []
    for n in range(count):
        name = fake.name()
        label = name.lower().replace(".", "").replace(" ", "-") + f"-{n}" if n else "main"
        users.append(GeneratedUser(label, name, seeded(seed, "person", n, size=64)))
    return users


def _coins(fake: Faker, count: int) -> list[GeneratedAsset]:
    """Returns real coins in a random order, then numbered tokens."""
    known = fake.random_sample(Currencies.cryptocurrencies, len(Currencies.cryptocurrencies))
    real = [GeneratedAsset(symbol, name) for symbol, name in dict(known).items()][:count]
    return real + [GeneratedAsset(f"T{n:06d}", f"Token {n}") for n in range(len(real), count)]


def _section(
    provider: Provider, users: Sequence[GeneratedUser], coins: Sequence[GeneratedAsset], seed: int
) -> dict[str, Any]:
    keys, accounts = {}, {}
    for user in users:
        key, id, account = provider.holder(user)  # type: ignore[misc]
        keys[user.label] = key
        rows = [_row(provider, n, coin, seed, user) for n, coin in enumerate(coins)]
        accounts[id] = {**account, "balances": rows}
    return {"keys": keys, "accounts": accounts}


def _row(
    provider: Provider, n: int, coin: GeneratedAsset, seed: int, user: GeneratedUser
) -> Mapping[str, Any]:
    digest = seeded(seed, provider.name, user.label, n, size=16)
    row = provider.sample(n, digest, coin)  # type: ignore[misc]
    members = {}
    for field in fields(row):
        value = getattr(row, field.name)
        if field.required or value != field.default:
            members[field.name] = text(value) if isinstance(value, Amount) else value
    return members
