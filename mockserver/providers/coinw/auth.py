"""CoinW spot authentication: ``api_key`` and an MD5 ``sign`` among the parameters.

Parameters come from the query and from a form body, in any order. What is signed
are all of them but ``sign`` and ``command``, decoded, sorted by name and written
``name=value`` with ``&`` between, and ``&secret_key=...`` at the very end. There is
no timestamp, so a signature is good for ever.
"""

import hashlib
from collections.abc import Mapping

from msgspec.structs import replace

from mockserver.model.http import Request, UnsignedRequest
from mockserver.model.provider import Keyring
from mockserver.model.query import parameters
from mockserver.model.reject import Reject
from mockserver.model.signing import same
from mockserver.model.world import Credential, Quirks


class Key(Credential, frozen=True, kw_only=True):
    """An API key: whose it is, and the account it sees.

    ``user`` is the user id by which requests are counted, by default the account.
    """

    api_key: str
    secret_key: str
    account: str
    user: str = ""

    def regenerate(self, entropy: bytes) -> "Key":
        """Returns the key with a new id and secret."""
        return replace(self, **new_key(entropy))


def new_key(entropy: bytes) -> dict[str, str]:
    """Returns the two members of a key made from 48 bytes or more."""
    return {"api_key": entropy[:16].hex(), "secret_key": entropy[16:48].hex()}


def canonical(given: Mapping[bytes, bytes], secret: bytes, covers_command: bool = False) -> bytes:
    """Returns the string that is signed."""
    left_out = (b"sign",) if covers_command else (b"sign", b"command")
    signed = [name + b"=" + given[name] for name in sorted(given) if name not in left_out]
    return b"&".join([*signed, b"secret_key=" + secret])


def digest(message: bytes) -> bytes:
    """Returns the MD5 in upper-case hex."""
    return hashlib.md5(message, usedforsecurity=False).hexdigest().upper().encode()


def sign(draft: UnsignedRequest, key: Key, now: int) -> UnsignedRequest:
    """Returns the draft with ``api_key`` and ``sign`` behind its query."""
    headers = {name.lower(): value for name, value in draft.headers}
    given = dict(parameters(draft.query, headers.get(b"content-type", b""), draft.body))
    given[b"api_key"] = key.api_key.encode()
    signature = digest(canonical(given, key.secret_key.encode()))
    query = b"api_key=%b&sign=%b" % (key.api_key.encode(), signature)
    return replace(draft, query=draft.query + b"&" + query if draft.query else query)


def authenticate(request: Request, keyring: Keyring, now: int, quirks: Quirks) -> tuple[Key, str]:
    """Checks that no parameter contradicts itself, then key and signature. Raises Reject."""
    given = _given(request)
    presented = given.get(b"api_key")
    if not presented:
        raise Reject("missing_credential")
    key: Key = keyring.find(presented)
    signature = given.get(b"sign", b"")
    if quirks["signature_case"] == "any":
        signature = signature.upper()
    covers_command = quirks["sign_covers_command"] == "true"
    message = canonical(given, key.secret_key.encode(), covers_command)
    if not same(digest(message), signature):
        raise Reject("bad_signature", credential=key.label)
    return key, ""


def _given(request: Request) -> dict[bytes, bytes]:
    """Merges query and form; raises Reject for a parameter with two different values."""
    given: dict[bytes, bytes] = {}
    media_type = request.header(b"content-type")
    for name, value in parameters(request.query, media_type, request.body):
        if given.setdefault(name, value) != value:
            raise Reject("bad_request", parameter=name.decode("utf-8", "replace"))
    return given
