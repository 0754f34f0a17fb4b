"""A provider's port that refuses connections for a time."""

import socket
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
import requests

from mockserver import MockServer
from mockserver.errors import ControlError, InvalidCall

DEADLINE = 30  # seconds


def until(holds: Callable[[], bool]) -> None:
    """Waits until something holds, 30 s at most."""
    end = time.monotonic() + DEADLINE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def connects(url: str) -> bool:
    address = urlsplit(url)
    try:
        socket.create_connection((address.hostname, address.port), 30).close()
    except ConnectionRefusedError:
        return False
    return True


def test_a_port_refuses_until_it_is_let_listen_again_and_others_do_not() -> None:
    with MockServer() as server:
        url = server.coinapi.base_url
        with requests.Session() as session:
            session.trust_env = False
            read = f"{url}/v1/balances"
            assert session.get(read, auth=server.coinapi.auth, timeout=30).status_code == 200
            server.coinapi.refuse("1h")
            assert not connects(url)
            with pytest.raises(requests.ConnectionError):
                session.get(read, auth=server.coinapi.auth, timeout=30)
            assert connects(server.cpg.base_url)
            assert session.get(f"{server.url}/coinapi/v1/balances", timeout=30).status_code == 401
            with pytest.raises(OSError), socket.socket() as other:  # no other program gets the port
                other.bind(("127.0.0.1", urlsplit(url).port))
            server.coinapi.refuse("30m")
            assert not connects(url), "once more while it refuses"
            server.coinapi.refuse(0)
            assert connects(url)
            assert session.get(read, auth=server.coinapi.auth, timeout=30).status_code == 200


def test_a_port_listens_again_by_itself() -> None:
    with MockServer() as server:
        server.cpg.refuse("50ms")
        until(lambda: connects(server.cpg.base_url))
        server.cpg.refuse("1h")  # and a server stops while a port refuses
    with pytest.raises(ControlError):
        server.cpg.refuse("1s")


def test_a_wrong_call_to_refuse_connections_is_rejected() -> None:
    with MockServer() as server:
        for wrong in ("-1s", "2h", "soon"):
            with pytest.raises(InvalidCall) as error:
                server.cpg.refuse(wrong)
            assert error.value.at == "$.for"
        path = f"{server.url}/__admin/providers/cgp/refuse"
        answer = requests.post(path, json={"for": "1s"}, timeout=30)
        assert (answer.status_code, "cpg" in answer.json()["hint"]) == (404, True)
