"""The caches of the process: results of pure functions, each within a bound of bytes.

Encoded responses are cached in each sandbox by ``engine/answer_cache``.

``bounds()`` lists them by name. Together they take at most CACHES_MAX.
"""

from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar
from weakref import WeakValueDictionary

KIB, MIB = 1024, 1024 * 1024
CACHES_MAX = 192 * MIB  # bytes of all caches of a server

ENTRY_SIZE = 200  # bytes of an entry beside what its ``size`` says
SEEN_SIZE = 128  # bytes of the hash of a key that was asked for once
KEYS_MIN = 64  # entries for which a cache has room: a larger one is not stored

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Cache(dict[K, V], Generic[K, V]):
    """``cache[key]`` returns ``function(key)``, stored when the key is asked for a second time.

    So keys that never repeat take little room; with ``at_once`` the first result is stored.
    ``size`` returns the bytes of an entry by its key. An entry beyond the ``room``, in bytes,
    empties the cache first: keys in frequent use are soon stored again. There is room for
    ``keys_min`` entries; a larger one is not stored.
    """

    def __init__(
        self,
        name: str,
        function: Callable[[K], V],
        *,
        size: Callable[[K], int],
        room: int,
        at_once: bool = False,
        keys_min: int = KEYS_MIN,
    ) -> None:
        super().__init__()
        self.name = name
        self._function = function
        self._size = size
        self._room = room
        self._size_max = room // keys_min
        self._used = 0
        self._at_once = at_once
        self._seen: set[int] = set()
        self._seen_max = 0 if at_once else room // (ENTRY_SIZE + SEEN_SIZE)
        _BOUNDS[name] = room + self._seen_max * SEEN_SIZE
        _CACHES[id(self)] = self

    @property
    def used(self) -> int:
        """The bytes that the cache takes now."""
        return self._used + len(self._seen) * SEEN_SIZE

    def __missing__(self, key: K) -> V:
        """Calls the function; its exceptions are raised and not stored."""
        value = self._function(key)
        if not self._at_once:
            key_hash, seen = hash(key), self._seen
            if key_hash not in seen:
                if len(seen) >= self._seen_max:
                    seen.clear()
                seen.add(key_hash)
                return value
            seen.discard(key_hash)
        size = self._size(key) + ENTRY_SIZE
        if size <= self._size_max:
            self._store(key, value, size)
        return value

    def _store(self, key: K, value: V, size: int) -> None:
        if self._used + size > self._room:
            self.clear()
            self._used = 0
        self[key] = value
        self._used += size


_BOUNDS: dict[str, int] = {}
_CACHES: WeakValueDictionary[int, Cache[Any, Any]] = WeakValueDictionary()


def cached(
    name: str,
    *,
    size: Callable[[Any], int],
    room: int,
    at_once: bool = False,
    keys_min: int = KEYS_MIN,
) -> Callable[[Callable[[K], V]], Callable[[K], V]]:
    """Decorates a pure function of one argument with a cache; see ``Cache`` for the parameters."""

    def decorate(function: Callable[[K], V]) -> Callable[[K], V]:
        cache = Cache(name, function, size=size, room=room, at_once=at_once, keys_min=keys_min)
        return cache.__getitem__  # the method itself: a hit runs no Python code

    return decorate


def bounds() -> dict[str, int]:
    """Returns the most bytes that each cache may take, by name."""
    return dict(_BOUNDS)


def usage() -> dict[str, int]:
    """Returns the bytes that each cache takes now, by name."""
    used = dict.fromkeys(_BOUNDS, 0)
    for reference in _CACHES.valuerefs():
        cache = reference()
        if cache is not None:
            used[cache.name] += cache.used
    return used
