"""How an answer is sent: a list of steps, which a delivery changes and the edge carries out."""

import re
from collections.abc import Callable

from msgspec import Struct


class SendStep(Struct, frozen=True):
    """Bytes to send at once; ``head`` are those of the status line and the headers."""

    data: bytes
    head: bool = False


class WaitStep(Struct, frozen=True):
    """Time to pass, in nanoseconds: real time, or that of the sandbox clock."""

    duration: int
    sandbox: bool = False


class CloseStep(Struct, frozen=True):
    """The end of the connection: closed, or reset by a TCP RST."""

    reset: bool = False


STEPS_MAX = 100_000
PIECES_MAX = STEPS_MAX // 2  # each may have a wait beside it

Step = SendStep | WaitStep | CloseStep
Script = list[Step]


def body(script: Script) -> bytes:
    """Returns the body that a script sends."""
    return b"".join(s.data for s in script if isinstance(s, SendStep) and not s.head)


def cut(script: Script, size: int, end: CloseStep) -> Script:
    """Ends a script behind so many bytes of its body."""
    return [*heads(script), SendStep(body(script)[:size]), end]


def with_head(script: Script, change: Callable[[bytes], bytes]) -> Script:
    """Changes the bytes of the head."""
    return [
        SendStep(change(step.data), head=True) if isinstance(step, SendStep) and step.head else step
        for step in script
    ]


def heads(script: Script) -> Script:
    """Returns the steps that send the head."""
    return [step for step in script if isinstance(step, SendStep) and step.head]


def pieces(data: bytes, size: int) -> list[bytes]:
    """Cuts bytes into pieces of a size, larger where there would be too many."""
    size = max(size, -(-len(data) // PIECES_MAX))
    return [data[at : at + size] for at in range(0, len(data), size)]


def least(script: Script, size: int) -> int:
    """Returns a size of pieces into which all of a script may be cut: larger, if need be.

    Of pieces that an earlier delivery made no more become than there may be in all.
    """
    sent = [len(step.data) for step in script if isinstance(step, SendStep)]
    return max(size, -(-sum(sent) // max(PIECES_MAX - len(sent), 1)))


def joined(script: Script) -> Script:
    """Makes one wait of those that follow each other on the same clock."""
    steps: Script = []
    for step in script:
        last = steps[-1] if steps else None
        if (
            isinstance(step, WaitStep)
            and isinstance(last, WaitStep)
            and step.sandbox == last.sandbox
        ):
            steps[-1] = WaitStep(last.duration + step.duration, step.sandbox)
        else:
            steps.append(step)
    return steps


LENGTH = re.compile(rb"(?i)(\r\ncontent-length: )([0-9]+)")
