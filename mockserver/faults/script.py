"""How a response is sent: a list of steps, which deliveries change and the socket plays."""

import re
from collections.abc import Callable

from msgspec import Struct


class SendStep(Struct, frozen=True):
    """Sends bytes; ``head`` marks those of the status line and the headers."""

    data: bytes
    head: bool = False


class WaitStep(Struct, frozen=True):
    """Waits, in nanoseconds of real time or of the sandbox clock."""

    duration: int
    sandbox: bool = False


class CloseStep(Struct, frozen=True):
    """Closes the connection, or resets it by a TCP RST."""

    reset: bool = False


CONTENT_LENGTH = re.compile(rb"(?i)(\r\ncontent-length: )([0-9]+)")

STEPS_MAX = 100_000
PIECES_MAX = STEPS_MAX // 2  # each piece may come with a wait

Step = SendStep | WaitStep | CloseStep
Script = list[Step]


def body(script: Script) -> bytes:
    """Returns the body that a script sends."""
    return b"".join(s.data for s in script if isinstance(s, SendStep) and not s.head)


def cut_body(script: Script, size: int, end: CloseStep) -> Script:
    """Ends a script after ``size`` bytes of its body."""
    return [*head_steps(script), SendStep(body(script)[:size]), end]


def with_head(script: Script, change: Callable[[bytes], bytes]) -> Script:
    """Changes the bytes of the head."""
    return [
        SendStep(change(step.data), head=True) if isinstance(step, SendStep) and step.head else step
        for step in script
    ]


def head_steps(script: Script) -> Script:
    """Returns the steps that send the head."""
    return [step for step in script if isinstance(step, SendStep) and step.head]


def pieces(data: bytes, size: int) -> list[bytes]:
    """Cuts bytes into pieces of a size, larger if there would be too many."""
    size = max(size, -(-len(data) // PIECES_MAX))
    return [data[at : at + size] for at in range(0, len(data), size)]


def piece_size(script: Script, size: int) -> int:
    """Returns ``size``, or a larger size that cuts the whole script into at most PIECES_MAX."""
    lengths = [len(step.data) for step in script if isinstance(step, SendStep)]
    return max(size, -(-sum(lengths) // max(PIECES_MAX - len(lengths), 1)))


def merge_waits(script: Script) -> Script:
    """Joins waits that follow each other on the same clock."""
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
