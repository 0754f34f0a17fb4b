"""``mockserver generate``."""

import click

ROWS_MAX = 100_000  # generated rows of each provider


@click.command(epilog="Example: mockserver generate --accounts 10 > world.yaml")
@click.option(
    "--accounts",
    default=3,
    show_default=True,
    type=click.IntRange(1, 1_000),
    help="Accounts of each provider.",
)
@click.option(
    "--assets",
    default=5,
    show_default=True,
    type=click.IntRange(0, 10_000),
    help="Rows of each account.",
)
@click.option("--seed", default=490, show_default=True, type=int, help="Seed of the values.")
def generate(accounts: int, assets: int, seed: int) -> None:
    """Print a generated world, the same for the same seed."""
    try:
        from mockserver.tools import generate as generator
    except ModuleNotFoundError:
        raise click.ClickException("generate needs Faker: python -m pip install faker") from None
    if accounts * assets > ROWS_MAX:
        raise click.UsageError(f"{accounts} x {assets} rows are more than {ROWS_MAX}: ask for less")
    print(generator.generate(accounts, assets, seed), end="")
