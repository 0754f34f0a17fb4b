"""CoinW spot authentication: ``api_key`` and an MD5 ``sign`` among the parameters.

Parameters come from the query and from a form body, in any order. The canonical
string has all of them but ``sign`` and ``command``, decoded, sorted by name, written
``name=value`` and joined by ``&``, then ``&secret_key=...``. There is no timestamp,
so a signature never expires.
"""

from msgspec.structs import replace

from mockserver.model.http import Request
from mockserver.model.key_placement import KeyPlacement
from mockserver.model.provider import Keyring
from mockserver.model.query import parameters
from mockserver.model.reject import Reject
from mockserver.model.signing import same
from mockserver.model.signing_recipe import (
    SigningRecipe,
    digest_builder,
    parameters_builder,
    signer,
)
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


RECIPE = SigningRecipe(
    key="api_key",
    secret="secret_key",  # noqa: S106 a member's name
    key_at=KeyPlacement("form", "api_key"),
    signature_at=KeyPlacement("form", "sign"),
    parts=(),  # fact: coinw-sorted-by-name, coinw-sorted-by-bytes
    # fact: coinw-signed-parameters, coinw-raw-values, coinw-encoded-values, coinw-empty-value
    left_out=("sign", "command"),
    operation="command",
    joiner=b"&",
    placement="last",  # fact: coinw-secret-last
    placed_as="secret_key",
    algorithm="md5",  # fact: coinw-md5, coinw-md5-utf8, coinw-example-signature
    written="HEX",  # fact: coinw-signature-upper
)
COVERING = replace(RECIPE, left_out=("sign",))  # fact: coinw-sign-covers-command

canonical, canonical_covering = parameters_builder(RECIPE), parameters_builder(COVERING)
digest = digest_builder(RECIPE)
sign = signer(RECIPE)


def recipe_in_force(quirks: Quirks) -> SigningRecipe:
    """Returns the recipe that the quirk ``sign_covers_command`` selects."""
    return COVERING if quirks["sign_covers_command"] == "true" else RECIPE


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
    secret = key.secret_key.encode()
    build = canonical_covering if quirks["sign_covers_command"] == "true" else canonical
    if not same(digest(secret, build(params, secret)), signature):  # fact: coinw-private
        missing = {} if signature else {"missing": "sign"}
        raise Reject("bad_signature", credential=key.label, **missing)
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
