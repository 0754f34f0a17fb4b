"""Serves a stub with pytest-httpserver: ``python httpserver.py CONFIG HOST PORT``.

Run by the Python beside the peers, which has that library and knows nothing of this project.
"""

import json
import signal
import sys
from pathlib import Path

from pytest_httpserver import HTTPServer


def main(config: str, host: str, port: str) -> None:
    """Serves as the library's own fixture does, until killed."""
    told = json.loads(Path(config).read_text())
    server = HTTPServer(host=host, port=int(port))
    server.expect_request(**told["expected"]).respond_with_data(told["body"], **told["answer"])
    server.start()
    signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:])
