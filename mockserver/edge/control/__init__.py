"""The control API: sandboxes, clocks, ledgers and the journal, over HTTP and from Python."""

from mockserver.edge.control.api import call
from mockserver.edge.control.verb import Refused

__all__ = ["Refused", "call"]
