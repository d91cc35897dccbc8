"""Schedules shared out among processes, where that is possible and pays.

A scenario may be a function of a notebook's cell, which cannot be sent to another process; so the process is copied (fork), each copy does
its share and sends back what failed. A process with threads, such as a kernel of Jupyter, is not copied: its locks would be copied, too.
"""

import os
import pickle
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

Found = TypeVar("Found")
PAYS = 40  # so many schedules are worth a second process


def how_many(schedules: int) -> int:
    """How many processes to use."""
    alone = not hasattr(os, "fork") or threading.active_count() > 1 or schedules < PAYS
    return 1 if alone else len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def spread(
    seeds: Sequence[int], work: Callable[[int], Found | None], watched: Callable[[Sequence[int]], Iterable[int]]
) -> dict[int, Found]:
    """What `work` finds, by seed and in their order; nothing for None. watched: goes through this process's share, with a progress bar.

    What one process raises is raised here.
    """
    many = how_many(len(seeds))
    others = [_begin(seeds[n::many], work) for n in range(1, many)]
    found = {seed: got for seed in watched(seeds[::many]) if (got := work(seed)) is not None}
    for pid, pipe in others:
        with open(pipe, "rb") as stream:  # noqa: PTH123  (a pipe has no path)
            text = stream.read()
        os.waitpid(pid, 0)
        theirs = pickle.loads(text) if text else RuntimeError("a process of the search has died")  # noqa: S301  (our own copy wrote it)
        if isinstance(theirs, Exception):
            raise theirs
        found.update(theirs)
    return {seed: found[seed] for seed in seeds if seed in found}


def _begin(seeds: Sequence[int], work: Callable[[int], Found | None]) -> tuple[int, int]:
    """A copy of this process at work on some seeds: its number, and the pipe on which it will answer."""
    pipe, end = os.pipe()
    pid = os.fork()
    if pid:
        os.close(end)
        return pid, pipe
    try:
        text = _pickled(seeds, work)
        with open(end, "wb") as stream:  # noqa: PTH123
            stream.write(text)
    finally:
        os._exit(0)  # whatever happens, the copy does not go on with what its original was doing


def _pickled(seeds: Sequence[int], work: Callable[[int], Found | None]) -> bytes:
    """What a copy found, or the error that it met, in a form in which it can be sent."""
    try:
        return pickle.dumps({seed: got for seed in seeds if (got := work(seed)) is not None})
    except Exception as error:  # noqa: BLE001  (for the process that asked)
        try:
            pickle.loads(text := pickle.dumps(error))  # noqa: S301
        except Exception:  # noqa: BLE001  (an error that cannot be sent)
            plain = RuntimeError(f"{type(error).__name__}: {error}")
            for note in getattr(error, "__notes__", []):
                plain.add_note(note)
            return pickle.dumps(plain)
        return text
