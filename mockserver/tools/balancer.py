"""HAProxy's configuration for many processes: the sandbox id, in all forms of URL, is hashed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from mockserver.model.provider import Provider

GATEWAY = "gateway"
INSTALL = "apt-get install haproxy (Debian, Ubuntu), brew install haproxy (macOS)"

HEAD = """\
# Many processes as one: every request of a sandbox goes to the process that owns it.
global
    tune.bufsize 131072

defaults
    mode http
    timeout connect 5s
    timeout client 1h
    timeout server 1h
    timeout http-keep-alive 60s
    timeout check 10s
    option forwardfor
    option accept-invalid-http-request
    # A request waits for a process that is started again, and goes to no other meanwhile:
    # what another would make in its place is out of reach as soon as it is back.
    retries 5"""

RESOLVERS = """
resolvers dns
    parse-resolv-conf
    hold valid 5s"""

BACKEND = """
backend {name}
    balance hash var(txn.id)
    hash-type consistent sdbm avalanche
    option httpchk
    http-check send meth GET uri /healthz ver HTTP/1.1 hdr Host localhost
    # A busy process is not a dead one: a sandbox moves only when its process is gone.
    default-server check inter 1s fall 6 rise 1 on-marked-down shutdown-sessions"""


def haproxy_config(
    fronts: Mapping[str, str],
    processes: Sequence[Mapping[str, str]],
    providers: Iterable[Provider],
    *,
    resolve: bool = False,
) -> str:
    """Returns the configuration; with ``resolve``, names are looked up again and again.

    ``fronts`` are the addresses to listen on, those of each of ``processes`` where it listens; by
    ``gateway`` and by provider. Process n has the same place in every backend, so all agree.
    """
    names = {provider.name: provider for provider in providers}
    lines = [HEAD, RESOLVERS] if resolve else [HEAD]
    options = " resolvers dns init-addr none" if resolve else ""

    for front, address in fronts.items():
        lines += [f"\nfrontend {front}", f"    bind {address}"]
        lines.append("    http-request del-header X-Forwarded-For")  # a client's own claim
        lines += [f"    http-request {rule}" for rule in _rules(front, names)]
        lines.append(f"    default_backend {front}")
    for front in fronts:
        lines.append(BACKEND.format(name=front))
        lines += [
            f"    server p{n} {process[front]}{options}" for n, process in enumerate(processes, 1)
        ]
    return "\n".join(lines) + "\n"


def _rules(front: str, providers: Mapping[str, Provider]) -> Iterator[str]:
    """Yields the rules that set the id; a new sandbox without an id may go to any process."""
    if front != GATEWAY:
        yield "set-var(txn.id) str(default)"
        yield "set-var(txn.id) path,field(2,/),ltrim(~) if { path_beg /~ }"
        return
    hosts = [host for provider in providers.values() for host in provider.hosts]
    prefix = f"^/({'|'.join(providers)})/~"
    named = " ".join([*(f"{name}.localhost" for name in providers), *hosts])
    yield "set-var(txn.id) str(default) unless { method POST } { path /__admin/sandboxes }"
    by_host = f"{{ path_beg /~ }} {{ hdr_dom(host) {named} }}"
    yield f"set-var(txn.id) path,field(2,/),ltrim(~) if {by_host}"
    yield f"set-var(txn.id) path,field(3,/),ltrim(~) if {{ path_reg {prefix} }}"
    yield "set-var(txn.id) path,field(4,/) if { path_beg /__admin/sandboxes/ }"
