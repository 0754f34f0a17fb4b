"""What we hold ourselves to: a bound and an aim, and what to say of a figure beside them."""

from msgspec import Struct


class Target(Struct, frozen=True):
    """A bound and, where there is one, an aim; ``less`` where a smaller figure is better."""

    bound: float
    aim: float | None = None
    less: bool = False

    def verdict(self, reached: float | None) -> str:
        """Says which of the two is reached; None is a figure that could not be had."""
        if reached is None:
            return "VOID"
        if self.aim is not None and self._as_good(reached, self.aim):
            return "aim reached"
        return "reached" if self._as_good(reached, self.bound) else "MISSED"

    def _as_good(self, reached: float, wanted: float) -> bool:
        return reached <= wanted if self.less else reached >= wanted


class Goal(Struct, frozen=True):
    """A figure beside its target; ``digits`` is how many are shown behind the point."""

    name: str
    reached: float | None
    target: Target
    unit: str = ""
    digits: int = 2
    note: str = ""

    def cells(self) -> tuple[str, ...]:
        """Returns what the table of targets says."""
        target = self.target
        return (
            self.name,
            self._shown(self.reached),
            f"{'at most' if target.less else 'at least'} {self._shown(target.bound)}",
            self._shown(target.aim),
            target.verdict(self.reached),
            self.note,
        )

    def _shown(self, figure: float | None) -> str:
        return "-" if figure is None else f"{figure:.{self.digits}f} {self.unit}".rstrip()
