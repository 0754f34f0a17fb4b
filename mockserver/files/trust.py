"""What makes each runtime trust the authority of a server, and use its proxy: variables."""

import shlex
from collections.abc import Mapping

from msgspec import Struct

CERTIFICATE, TRUST_STORE = "authority.pem", "authority.p12"
PASSWORD = "changeit"  # noqa: S105 - as Java's own: a trust store holds no secret
# OpenSSL, httpx, aiohttp, Go, Ruby, Rust, .NET; then requests, curl, Node, Deno, Git.
CERTIFICATE_VARIABLES = (
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "DENO_CERT",
    "GIT_SSL_CAINFO",
)
PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy")  # curl reads http_proxy in lower case only
DIRECT = "localhost,127.0.0.1,::1"


class Trust(Struct, frozen=True):
    """How to reach a server by TLS.

    ``path`` is the authority's certificate, ``trust_store`` the same for Java (or ""), ``pem`` its
    content; ``https`` the URL of the HTTPS port, ``proxy`` the proxy's, or "".
    """

    path: str
    trust_store: str
    pem: str
    https: str = ""
    proxy: str = ""

    @property
    def variables(self) -> dict[str, str]:
        """The variables, by name."""
        return variables(self.path, self.trust_store, self.proxy)


def variables(path: str, trust_store: str = "", proxy: str = "") -> dict[str, str]:
    """Returns the variables that make runtimes trust a certificate and use a proxy."""
    found = dict.fromkeys(CERTIFICATE_VARIABLES, path)
    java = _java_trust(trust_store) if trust_store else []
    if proxy:
        found |= dict.fromkeys(PROXY_VARIABLES, proxy)
        found |= dict.fromkeys(("NO_PROXY", "no_proxy"), DIRECT)
        found["NODE_USE_ENV_PROXY"] = "1"  # Node 24 and newer
        host, _, port = proxy.rpartition("/")[2].rpartition("@")[2].rpartition(":")
        java += [f"-Dhttps.proxyHost={host.strip('[]')}", f"-Dhttps.proxyPort={port}"]
    if java:
        found["JAVA_TOOL_OPTIONS"] = " ".join(java)
    return found


def _java_trust(path: str) -> list[str]:
    settings = {"": path, "Type": "PKCS12", "Password": PASSWORD}
    return [f"-Djavax.net.ssl.trustStore{name}={value}" for name, value in settings.items()]


def shell_lines(variables: Mapping[str, str]) -> list[str]:
    """Returns lines for a POSIX shell's ``eval``."""
    return [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
