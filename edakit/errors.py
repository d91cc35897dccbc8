"""What can go wrong for the person at the keyboard, and for a service inside a lab.

A learner's wrong call raises one of these at the door: one line with the offending value and the cure. What goes wrong *inside*
the simulated system (a handler that raises, a lost message) is a row of the trace, not an error.

    EdakitError
        WiringError         an exchange, queue, topic or service that does not exist, or exists twice
        HandlerError        a handler of the wrong shape
        PayloadError        data that is not JSON, or a change to an event
        EnvelopeError       what came from outside is not a valid CloudEvent, or not a valid trace header
        PatternError        an event pattern or filter policy that is none
        DurationError       a negative, infinite or missing time
        ArgumentError       an argument outside the values it may have
        ClosedError         a lab that is closed
        EmptyTrace          a picture or figure of a run that has not happened
        EvidenceError       stored figures that no longer agree with the code
        Livelock            a run that would not end
        ForeignAwait        asyncio.sleep and its like inside a lab
        CallError           raised inside a handler by `ctx.call`; `outcome` says what is known
            CallTimeout     no answer in time: outcome "unknown", never "failed"
            CallFailed      the service answered that it failed: outcome "unknown"
            CallRefused     the service answered no, or was not there: outcome "no"
        Refused             raise it in a handler to answer a caller with no
        Deadlock            raised inside a handler by a transaction that gave way to another
        ConflictError       an append to an event store that stands on an old version
"""

import linecache
from pathlib import Path
from typing import Literal

HERE = str(Path(__file__).parent / "_").removesuffix("_")

Outcome = Literal["unknown", "no"]


class EdakitError(Exception):
    """The root of the tree: `except EdakitError` catches what this package has to say."""

    def _render_traceback_(self) -> list[str]:
        """Show a learner their own line and our sentence, instead of our stack (IPython asks for this)."""
        where, traceback = "", self.__traceback__
        while traceback is not None:
            code, line = traceback.tb_frame.f_code, traceback.tb_lineno
            if not code.co_filename.startswith(HERE) and "IPython" not in code.co_filename:
                source = linecache.getline(code.co_filename, line).strip()
                where = f"  line {line}: {source}" if source else where
            traceback = traceback.tb_next
        return [line for line in (where, f"{type(self).__name__}: {self}") if line]


class Mistake(EdakitError):
    """Something the person at the keyboard can mend; never a part of the simulated story."""


class WiringError(Mistake, LookupError):
    """The system is wired to something that is not there, or is there twice."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class HandlerError(Mistake, TypeError):
    """A handler that the kit cannot call as `async def handler(event, ctx)`."""


class PayloadError(Mistake, ValueError):
    """Event data must be JSON and, once published, cannot be changed."""


class EnvelopeError(Mistake, ValueError):
    """What came from outside is not a valid event: the attribute or header, its value, and what it must be."""


class PatternError(Mistake, ValueError):
    """An event pattern or filter policy that is none: where in it, and what must stand there."""


class DurationError(Mistake, ValueError):
    """Times are finite, non-negative seconds."""


class ArgumentError(EdakitError, ValueError):
    """An argument outside the values it may have."""


class ClosedError(Mistake, RuntimeError):
    """The lab has been closed; its trace can still be read."""


class EmptyTrace(Mistake, ValueError):
    """There is nothing to look at yet."""


class EvidenceError(Mistake, RuntimeError):
    """Stored figures do not agree with what the code computes now."""


class Livelock(Mistake, RuntimeError):
    """A run that would go on for ever, stopped; what happened so far is in the trace."""


class ForeignAwait(Mistake, TypeError):
    """A handler awaited something that does not live in virtual time."""


class CallError(EdakitError):
    """A request had no good end. `outcome` is "no" (it did not and will not happen) or "unknown" (it may have happened)."""

    outcome: Outcome = "unknown"


class CallTimeout(CallError, TimeoutError):
    """No answer in time. The request, the work or the reply may be what is missing: the outcome is unknown."""


class CallFailed(CallError):
    """The service answered that it failed (HTTP 500). How far it got before that is unknown."""


class CallRefused(CallError):
    """The answer was no, or nobody was there to take the request (`answered` is False): nothing has happened."""

    outcome: Outcome = "no"

    def __init__(self, why: str = "", *, answered: bool = True) -> None:
        super().__init__(why)
        self.answered = answered  # False: a later try may find somebody


class Refused(EdakitError):
    """Raise it in a handler to tell the caller no: a business answer, not a failure; nothing is retried."""


class Deadlock(EdakitError):
    """Two transactions wait for each other's keys; this one was chosen to give way. Run it again."""


class ConflictError(EdakitError):
    """Somebody else appended to the stream first: read it again, and decide again."""

    def __init__(self, stream: str, expected: int, found: int) -> None:
        super().__init__(f"stream {stream}: expected version {expected}, found {found}")
        self.stream, self.expected, self.found = stream, expected, found


def known(what: str, name: object, names: "list[str] | tuple[str, ...] | dict[str, object]") -> str:
    """The sentence for an unknown name: what it is, and the names there are."""
    there = ", ".join(sorted(set(map(str, names)))) or "none yet"
    return f"no {what} named {name!r}; known: {there}"
