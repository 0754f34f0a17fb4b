"""A client that is a Python function: a thread for each run."""

import asyncio
import contextlib
import ctypes
import hashlib
import importlib
import inspect
import io
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mockserver.certify import rows
from mockserver.certify.clients import POLL, STOP_AFTER, RequestCounter
from mockserver.certify.model import Outcome, Stage
from mockserver.errors import UnusableClient
from mockserver.model.suggestions import nearest

Function = Callable[..., Any]
PARAMETERS = ("base_url", "credentials", "account", "provider", "check", "time_limit", "sleep")
FILTERS = ("currency", "exchange")
MEMBERS = (
    *("api_key", "key_id", "key_secret", "key_type", "secret", "secret_key"),
    *("connection_id", "connection_fields"),
)
OUTPUT_MAX = 64 * 1024  # characters of stdout and stderr of a run
WORKERS = 8


class Stopped(BaseException):
    """Ends the thread of a client that goes on for too long."""


def load(text: str) -> Function:
    """Returns the function ``module:function``; raises UnusableClient."""
    module_name, _, name = text.partition(":")
    if os.getcwd() not in sys.path:  # noqa: PTH109 - as Python itself does
        sys.path.insert(0, os.getcwd())  # noqa: PTH109
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise UnusableClient(f"{text}: expected module:function, but {error}") from None
    function = getattr(module, name, None)
    if not callable(function):
        known = [n for n, value in vars(module).items() if inspect.isfunction(value)]
        near = nearest(name, known)
        hint = f"; did you mean {near}?" if near else ""
        raise UnusableClient(f"{text}: {module_name} has no function {name}{hint}")
    return function  # type: ignore[no-any-return]


class FunctionClient:
    """Calls a function with the parameters that it names; raises UnusableClient for an unknown one.

    The function may be async. It returns rows as a command prints them, amounts as text or
    decimals, or raises.
    """

    rehearses = True

    def __init__(self, function: Function, name: str = "", workers: int = 0) -> None:
        self._function = function
        self._names, self._open = _parameters(function)
        self.name = name or f"{function.__module__}:{getattr(function, '__name__', function)}"
        self.digest = _digest(function)
        self.workers = workers or WORKERS

    def run(self, stage: Stage, requests: RequestCounter) -> Outcome:
        """Calls the function once, in a thread."""
        begin = time.monotonic()
        call = Call(self._function, self._arguments(stage))
        stopped = call.wait(begin + stage.time_limit, requests)
        seconds = time.monotonic() - begin
        parsed, problem = None, ""
        if not stopped and call.error is None:
            try:
                parsed = rows.parse(call.result, stage.provider)
            except ValueError as error:
                problem = str(error)
        return Outcome(
            rows=parsed,
            error=problem or _description(call.error),
            problem=problem,
            stopped=stopped,  # type: ignore[arg-type]
            output=call.output.getvalue()[:OUTPUT_MAX],
            seconds=seconds,
        )

    def _arguments(self, stage: Stage) -> dict[str, Any]:
        given = {name: getattr(stage, name) for name in PARAMETERS}
        given |= {name: stage.credentials.get(name) for name in MEMBERS}
        given |= {name: stage.filters.get(name, "") for name in FILTERS}
        return given if self._open else {name: given[name] for name in self._names}


class Call:
    """A call of a function in a thread of its own."""

    def __init__(self, function: Function, arguments: dict[str, Any]) -> None:
        self.result: Any = None
        self.error: BaseException | None = None
        self.output = io.StringIO()
        self._function, self._arguments = function, arguments
        self._in_server = threading.Lock()  # held where the thread must not be interrupted
        self._sleep = arguments.get("sleep")
        if self._sleep is not None:
            arguments["sleep"] = self._sleep_whole
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with captured(self.output):
            try:
                result = self._function(**self._arguments)
                if inspect.isawaitable(result):
                    result = asyncio.run(_awaited(result))
                self.result = result
            except BaseException as error:
                self.error = error

    def _sleep_whole(self, seconds: float) -> None:
        """Lets the sandbox clock pass: a call into the server, which is never left half-way."""
        with self._in_server:
            self._sleep(seconds)  # type: ignore[misc]

    def wait(self, end: float, requests: RequestCounter) -> str:
        """Waits for the end; returns why the call was ended, or an empty text."""
        while True:
            self._thread.join(POLL)
            if not self._thread.is_alive():
                return ""
            reason = "time" if time.monotonic() > end else ""
            if not reason and requests() > STOP_AFTER:
                reason = "requests"
            if reason:
                with self._in_server:
                    _raise_in(self._thread)
                return reason


async def _awaited(result: Any) -> Any:
    return await result


def _raise_in(thread: threading.Thread) -> None:
    """Raises Stopped in a thread at its next instruction; one in a system call goes on."""
    if thread.ident is not None:
        ident = ctypes.c_ulong(thread.ident)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, ctypes.py_object(Stopped))


class ThreadOutput(io.TextIOBase):
    """A stream that keeps what the threads of clients write, and passes on the rest."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.kept: dict[int, io.StringIO] = {}

    def write(self, text: str) -> int:
        """Writes to the buffer of the thread, or to the stream."""
        buffer = self.kept.get(threading.get_ident())
        if buffer is None:
            self.stream.write(text)
        elif buffer.tell() <= OUTPUT_MAX:
            buffer.write(text)
        return len(text)

    def flush(self) -> None:
        """Flushes the stream."""
        self.stream.flush()


@contextlib.contextmanager
def streams_of_threads() -> Iterator[None]:
    """Replaces stdout and stderr by streams that separate threads, as long as clients run."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = ThreadOutput(before[0]), ThreadOutput(before[1])
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


@contextlib.contextmanager
def captured(buffer: io.StringIO) -> Iterator[None]:
    """Keeps what this thread writes, where the streams separate threads."""
    ident = threading.get_ident()
    streams = [s for s in (sys.stdout, sys.stderr) if isinstance(s, ThreadOutput)]
    for stream in streams:
        stream.kept[ident] = buffer
    try:
        yield
    finally:
        for stream in streams:
            stream.kept.pop(ident, None)


def _description(error: BaseException | None) -> str:
    """Returns an exception as a traceback's last line shows it, with its causes."""
    lines: list[str] = []
    while error is not None and len(lines) < 5:
        lines.append(f"{type(error).__name__}: {error}")
        error = error.__cause__
    return "\ncaused by ".join(lines)[:OUTPUT_MAX]


def _parameters(function: Function) -> tuple[list[str], bool]:
    """Returns the names of a function's parameters, and whether it takes any."""
    known = (*PARAMETERS, *MEMBERS, *FILTERS)
    names = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            return [], True
        if parameter.kind is parameter.VAR_POSITIONAL:
            continue
        if parameter.name in known:
            names.append(parameter.name)
        elif parameter.default is parameter.empty:
            near = nearest(parameter.name, known)
            hint = f"did you mean {near}?" if near else f"known are {', '.join(known)}"
            raise UnusableClient(f"the function has an unknown parameter {parameter.name}: {hint}")
    return names, False


def _digest(function: Function) -> str:
    """Returns a hash of the file that has the function, else of its name."""
    code = getattr(function, "__code__", None)
    data = repr(function).encode()
    with contextlib.suppress(OSError):
        data = Path(code.co_filename).read_bytes() if code else data
    return hashlib.sha256(data).hexdigest()[:16]
