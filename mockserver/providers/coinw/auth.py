"""CoinW spot authentication: ``api_key`` and an MD5 ``sign`` among the parameters.

Parameters come from the query and from a form body, in any order. The canonical
string has all of them but ``sign`` and ``command``, decoded, sorted by name, written
``name=value`` and joined by ``&``, then ``&secret_key=...``. There is no timestamp,
so a signature never expires.
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
    """An API key and the account that it reads.

    ``user`` is the user id that rate limits count by; empty is the account.
    """

    api_key: str
    secret_key: str
    account: str
    user: str = ""

    def regenerate(self, entropy: bytes) -> "Key":
        """Returns the key with a new id and secret, made from 48 bytes or more."""
        return replace(self, **new_key(entropy))


def new_key(entropy: bytes) -> dict[str, str]:
    """Returns the id and the secret of a key, made from 48 bytes or more."""
    return {"api_key": entropy[:16].hex(), "secret_key": entropy[16:48].hex()}


def canonical(params: Mapping[bytes, bytes], secret: bytes, covers_command: bool = False) -> bytes:
    """Returns the canonical string; ``params`` are decoded."""
    # fact: coinw-signed-parameters, coinw-raw-values, coinw-encoded-values, coinw-empty-value
    left_out = (b"sign",) if covers_command else (b"sign", b"command")
    # fact: coinw-sorted-by-name, coinw-sorted-by-bytes
    signed = [name + b"=" + params[name] for name in sorted(params) if name not in left_out]
    return b"&".join([*signed, b"secret_key=" + secret])  # fact: coinw-secret-last


def digest(message: bytes) -> bytes:
    """Returns the MD5 in upper-case hex."""
    # fact: coinw-md5, coinw-md5-utf8, coinw-signature-upper, coinw-example-signature
    return hashlib.md5(message, usedforsecurity=False).hexdigest().upper().encode()


def sign(request: UnsignedRequest, key: Key, now: int) -> UnsignedRequest:
    """Returns the request with ``api_key`` and ``sign`` at the end of its query."""
    headers = {name.lower(): value for name, value in request.headers}
    params = dict(parameters(request.query, headers.get(b"content-type", b""), request.body))
    params[b"api_key"] = key.api_key.encode()
    signature = digest(canonical(params, key.secret_key.encode()))
    query = b"api_key=%b&sign=%b" % (key.api_key.encode(), signature)
    return replace(request, query=request.query + b"&" + query if request.query else query)


# fact: coinw-no-timestamp, coinw-no-headers
def authenticate(request: Request, keyring: Keyring, now: int, quirks: Quirks) -> tuple[Key, str]:
    """Checks for contradicting parameters, then key and signature.

    Returns the key and an empty note for the journal; raises Reject.
    """
    # fact: coinw-no-parameters, coinw-unknown-parameter
    params = _merged_params(request)
    presented = params.get(b"api_key")
    if not presented:  # fact: coinw-key-missing
        raise Reject("missing_credential")
    key: Key = keyring.find(presented)  # fact: coinw-refusing-key
    signature = params.get(b"sign", b"")  # fact: coinw-signature-missing
    if quirks["signature_case"] == "any":  # fact: coinw-signature-case
        signature = signature.upper()
    covers_command = quirks["sign_covers_command"] == "true"  # fact: coinw-sign-covers-command
    message = canonical(params, key.secret_key.encode(), covers_command)
    if not same(digest(message), signature):  # fact: coinw-private
        raise Reject("bad_signature", credential=key.label)
    return key, ""


def _merged_params(request: Request) -> dict[bytes, bytes]:
    """Merges query and form; raises Reject for a parameter with two different values."""
    params: dict[bytes, bytes] = {}
    media_type = request.header(b"content-type")
    # fact: coinw-query-or-form, coinw-any-order, coinw-empty-body, coinw-other-body
    # fact: coinw-form-charset, coinw-plus-is-space
    for name, value in parameters(request.query, media_type, request.body):
        # fact: coinw-repeated-equal, coinw-repeated-different, coinw-command-twice
        if params.setdefault(name, value) != value:
            raise Reject("bad_request", parameter=name.decode("utf-8", "replace"))
    return params
