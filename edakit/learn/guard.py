"""Run code of unknown quality and come back: whatever it does, the notebook stays alive.

The code runs in a thread of its own, the same way on every system. What does not end is stopped where it stands; what will not be
stopped, because it catches everything, is parked for ever and costs nothing more. What it prints is counted and thrown away. Code
that never gives the interpreter back, as one endless call into C does, cannot be stopped from inside a process.
"""

import builtins
import contextlib
import ctypes
import io
import linecache
import re
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

from edakit.errors import HERE, Mistake

if TYPE_CHECKING:
    from types import FrameType

LIBRARY = str(Path(threading.__file__).parent)  # of Python itself: never the learner's
PATIENCE = 1.2  # seconds without a sign of life, until code counts as endless
BUSY = 1.3  # so many times as long, if the code could not use that time
GRACE = 0.1  # seconds to unwind after being stopped

Result = TypeVar("Result")


class Endless(Exception):
    """The code did not end in time; the text says where it was."""


class Escaped(Exception):
    """The code raised something that would end the program, not only itself: `error` (SystemExit, KeyboardInterrupt)."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(repr(error))
        self.error = error


class OutOfTime(BaseException):
    """Thrown into code that does not end. Not an Exception, so that `except Exception` does not swallow it."""


class Parked(BaseException):
    """Thrown into code that swallows everything: making one never returns, so its thread waits here until the process ends."""

    def __init__(self) -> None:
        super().__init__()
        threading.Event().wait()


class OutsideWorld(Mistake, RuntimeError):
    """The code reached for something that does not exist in virtual time."""


class Sink(io.TextIOBase):
    """Counts lines and keeps none."""

    def __init__(self) -> None:
        super().__init__()
        self.lines = 0

    def write(self, text: str) -> int:
        """Take anything."""
        self.lines += str(text).count("\n")
        return len(text)

    def writable(self) -> bool:
        """Yes."""
        return True


class Watch(Generic[Result]):
    """What the code that is watched and the one who waits share."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.last, self.spent = time.monotonic(), time.process_time()
        self.result: Result
        self.error: BaseException | None = None

    def beat(self) -> None:
        """A sign of life: something has ended, and what comes next has the whole time again."""
        self.last, self.spent = time.monotonic(), time.process_time()

    def late(self, patience: float) -> bool:
        """Whether it is time to give up: later, if the computer was busy with something else."""
        waited, worked = time.monotonic() - self.last, time.process_time() - self.spent
        return waited >= patience and (worked >= patience / 2 or waited >= patience * BUSY)


def guarded(
    work: Callable[[Callable[[], None]], Result], patience: float = PATIENCE, ours: tuple[str, ...] = ()
) -> tuple[Result, str]:
    """Run `work(beat)`, which calls `beat` between parts of its work; return its result, and what to say of what it printed and
    never awaited.

    ours: folders whose code is not the learner's.

    Raises Endless if there is no sign of life for `patience` real seconds, Escaped for what would end the program; an Exception
    that `work` raises comes out as it is.
    """
    watch: Watch[Result] = Watch()

    def body() -> None:
        try:
            watch.result = work(watch.beat)
        except BaseException as error:  # noqa: BLE001  SystemExit too: handed on to the one who waits
            watch.error = error
        finally:
            watch.done.set()

    thread, sink = threading.Thread(target=body, name="answer", daemon=True), Sink()
    with (
        contextlib.redirect_stdout(sink),
        contextlib.redirect_stderr(sink),
        warnings.catch_warnings(record=True) as caught,
        no_outside_world(thread),
    ):
        warnings.simplefilter("always")  # also the second time that the same code is tried
        watch.beat()
        thread.start()
        try:
            while not watch.done.wait(max(0.02, watch.last + patience - time.monotonic())):
                if watch.late(patience):
                    where = place_of(thread, ours)
                    stop(thread, watch.done)
                    raise Endless(where)
        except KeyboardInterrupt:
            stop(thread, watch.done)
            raise
    if watch.error is not None:
        raise watch.error if isinstance(watch.error, Exception) else Escaped(watch.error)
    return watch.result, aside(sink.lines, [str(each.message) for each in caught])


def aside(lines: int, warned: list[str]) -> str:
    """What a learner should hear of lines that the code printed and of Python's warnings about it."""
    found = [re.match(r"coroutine '(?:.*\.)?(\w+)' was never awaited", each) for each in warned]
    names = ", ".join(dict.fromkeys(each[1] for each in found if each))
    said = f"\n(Never awaited: {names}. Without `await` in front, the call does nothing.)" if names else ""
    return said + (f"\n(Your code printed {lines:,} lines; ctx.log(...) puts them into the trace instead.)" if lines else "")


def stop(thread: threading.Thread, done: threading.Event) -> None:
    """End what a thread does: let it unwind, and park it if it will not."""
    for error in (OutOfTime, Parked):
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(error))
        if done.wait(GRACE):
            return


def place_of(thread: threading.Thread, ours: tuple[str, ...] = ()) -> str:
    """Where in the learner's code a thread is now: function, line counted from its first, source; empty if in none of it."""
    frame: FrameType | None = sys._current_frames().get(thread.ident or 0)
    while frame is not None:
        code = frame.f_code
        if not code.co_filename.startswith((HERE, LIBRARY, "<frozen", *ours)):
            source = linecache.getline(code.co_filename, frame.f_lineno).strip()
            return f"in {code.co_name}, line {frame.f_lineno - code.co_firstlineno}" + (f": {source}" if source else "")
        frame = frame.f_back
    return ""


@contextlib.contextmanager
def no_outside_world(thread: threading.Thread) -> Iterator[None]:
    """Let calls that stop the real clock say so at once, in this thread only."""

    def refuse(real: Callable[..., Any], why: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            return _no(why) if threading.current_thread() is thread else real(*args, **kwargs)

        return call

    sleep, ask = time.sleep, builtins.input
    time.sleep = refuse(sleep, "time.sleep stops your computer, and no virtual time passes: use await ctx.sleep(...)")
    builtins.input = refuse(ask, "nobody is there to answer input(): take what you need from the event")
    try:
        yield
    finally:
        time.sleep, builtins.input = sleep, ask


def _no(why: str) -> NoReturn:
    raise OutsideWorld(why)
