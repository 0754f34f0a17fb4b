"""A credential: a dictionary whose members also read as attributes."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mockserver.client.tracebacks import hides_frames
from mockserver.model.suggestions import unknown

__tracebackhide__ = hides_frames


class Credential(dict[str, Any]):
    """A credential's members by name: ``credentials["key_id"]`` is ``credentials.key_id``.

    A member that does not exist raises KeyError or AttributeError, with the nearest name.
    """

    if not TYPE_CHECKING:  # the subclasses of each provider declare their members

        def __getattr__(self, name: str) -> Any:
            """Returns a member."""
            if name in self:
                return self[name]
            raise AttributeError(unknown("member", name, self))

    def __missing__(self, name: str) -> Any:
        """Raises KeyError."""
        raise KeyError(unknown("member", str(name), self))


def credentials_by_label(
    kind: type[Credential], others: Mapping[str, Mapping[str, Any]]
) -> dict[str, Credential]:
    """Returns credentials of a provider's own kind by label."""
    return {label: kind(members) for label, members in others.items()}
