"""What the balances of a sandbox must be: every change is carried out here as well."""

import json
import random
from collections.abc import Callable
from decimal import Decimal

from contract_tests.fuzz.served import Response, Wrong
from mockserver.client.sandbox import Sandbox
from mockserver.control.routes import ControlError

PROVIDERS = ("cdp", "coinapi", "coinstats", "coinw", "cpg")
MOVES = ("credit", "credit", "debit", "hold", "release", "release")
ACCOUNT = "main"

Row = tuple[str, str]  # asset, venue
Amounts = tuple[Decimal, Decimal]  # total, held


class Balances:
    """The balances of one sandbox, and the withdrawals that are open."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._handles = {name: getattr(sandbox, name) for name in PROVIDERS}
        self._rows = {name: self._read(name) for name in PROVIDERS}
        self._open: dict[int, tuple[Row, Decimal]] = {}
        self._seen: set[int] = set()

    @property
    def last_id(self) -> int:
        """The id of the last withdrawal; ids are counted from 1."""
        return max(self._seen, default=0)

    def _read(self, provider: str) -> dict[Row, Amounts]:
        rows = self._handles[provider].balances(ACCOUNT)
        return {(row.asset, row.venue): (row.total, row.held) for row in rows}

    def move(self, chance: random.Random) -> None:
        """Makes one move, which may have to be refused; raises Wrong when the server disagrees."""
        provider, kind = chance.choice(PROVIDERS), chance.choice(MOVES)
        rows = self._rows[provider]
        row = chance.choice(list(rows))
        total, held = rows[row]
        digits = max(0, -int(total.as_tuple().exponent))
        amount = Decimal(chance.choice([1, 1, chance.randrange(1, 10**6)])).scaleb(-digits)
        if kind in ("credit", "debit"):
            after = (total + amount if kind == "credit" else total - amount), held
        else:
            after = total, (held + amount if kind == "hold" else held - amount)
        move, (asset, venue) = getattr(self._handles[provider], kind), row
        self._change(
            provider,
            row,
            after,
            f"to {kind} {amount:f}",
            lambda: move(ACCOUNT, asset, f"{amount:f}", venue or None),
        )

    def see(self, response: Response) -> None:
        """Carries out a withdrawal that a response confirms."""
        if response.status != 200 or b'"withdrawal_id"' not in response.body:
            return
        data = json.loads(response.body)["data"]
        id, row = int(data["withdrawal_id"]), (data["currency"], data["network"])
        if id in self._seen:
            return  # an earlier one, by its reference
        self._seen.add(id)
        amount = Decimal(data["amount_decimal"]) + Decimal(data["fee_decimal"])
        total, held = self._rows["cpg"][row]
        self._rows["cpg"][row] = total, held + amount
        self._open[id] = row, amount

    def settle(self, chance: random.Random) -> None:
        """Confirms a withdrawal or lets one fail, which moves may have made impossible."""
        if not self._open:
            return
        id = chance.choice(list(self._open))
        row, amount = self._open[id]
        total, held = self._rows["cpg"][row]
        event = chance.choice(["withdrawal_confirmed", "withdrawal_failed"])
        confirmed = event == "withdrawal_confirmed"
        after = total - amount if confirmed else total, held - amount
        self._change("cpg", row, after, event, lambda: self._handles["cpg"].event(event, id=id))
        if self._rows["cpg"][row] == after:
            del self._open[id]

    def _change(
        self, provider: str, row: Row, after: Amounts, about: str, call: Callable[[], None]
    ) -> None:
        """Carries out a change if it leaves amounts that may be; the server must agree."""
        total, held = after
        allowed = 0 <= held <= total
        try:
            call()
        except (ControlError, ValueError) as error:
            if allowed:
                raise Wrong(f"{provider} refused {about} of {row}: {error}") from error
            return
        if not allowed:
            raise Wrong(f"{provider} did not refuse {about} of {row}: {after}")
        self._rows[provider][row] = after

    def check(self) -> None:
        """Raises Wrong when a balance of the server is another."""
        if len(self._seen) != self.last_id:
            raise Wrong(f"{len(self._seen)} withdrawals were answered, the last is {self.last_id}")
        for name, rows in self._rows.items():
            read = self._read(name)
            wrong = [row for row in rows.keys() | read.keys() if rows.get(row) != read.get(row)]
            for row in wrong:
                raise Wrong(f"{name} has {read.get(row)} of {row}, not {rows.get(row)}")
