"""The control API: sandboxes, clocks, ledgers, faults and the journal, over HTTP and in Python."""

from mockserver.control.api import call

__all__ = ["call"]
