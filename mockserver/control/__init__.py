"""The control API: sandboxes, clocks, ledgers and the journal, over HTTP and from Python."""

from mockserver.control.api import call
from mockserver.control.routes import ControlError

__all__ = ["ControlError", "call"]
