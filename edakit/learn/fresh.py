"""Answers made anew for every run, and for every instance that starts in it: each has a memory of its own, as processes have.

A global, a closure or a default value that an answer keeps things in is that instance's memory: it is gone after a crash, and two
instances do not share it. So a run says the same whatever ran before.
"""

import copy
import functools
import inspect
from collections import deque
from collections.abc import Iterable, Mapping
from types import CellType, CodeType, FunctionType
from typing import Any
from weakref import WeakKeyDictionary

from edakit.service import Service, check_handler

MEMORY = (dict, list, set, deque, bytearray)
NOTHING_DONE = {"RESUME", "RETURN_GENERATOR", "POP_TOP", "LOAD_CONST", "RETURN_VALUE", "RETURN_CONST", "NOP", "CACHE"}
NOTHING_DONE |= {"CALL_INTRINSIC_1", "RERAISE", "JUMP_BACKWARD_NO_INTERRUPT", "NOT_TAKEN"}


class Copies:
    """Copies of functions that share one memory among them, and with nobody else."""

    def __init__(self) -> None:
        self._made: dict[int, Any] = {}
        self._kept: list[Any] = []  # so that no id is given twice

    def of(self, value: Any) -> Any:
        """The copy of a function or of something it keeps things in; anything else as it is."""
        if id(value) in self._made:
            return self._made[id(value)]
        self._kept.append(value)
        if isinstance(value, FunctionType):
            return self._function(value)
        made = value
        if isinstance(value, MEMORY):
            try:
                made = copy.deepcopy(value)
            except Exception:  # noqa: BLE001  what cannot be copied is shared: a lab or a lock in a list, say
                made = value
        self._made[id(value)] = made
        return made

    def _function(self, function: FunctionType) -> FunctionType:
        space = self._space(function.__globals__)
        made = FunctionType(function.__code__, space, function.__name__, None, tuple(map(self._cell, function.__closure__ or ())))
        self._made[id(function)] = made
        made.__kwdefaults__ = {name: self.of(value) for name, value in (function.__kwdefaults__ or {}).items()}
        made.__defaults__ = tuple(map(self.of, function.__defaults__ or ()))
        made.__dict__.update({name: self.of(value) for name, value in function.__dict__.items()})
        made.__qualname__, made.__module__, made.__doc__ = function.__qualname__, function.__module__, function.__doc__
        for name in names(function.__code__):
            if name in function.__globals__:
                value = function.__globals__[name]
                mine = isinstance(value, FunctionType) and value.__globals__ is function.__globals__
                if mine or isinstance(value, MEMORY):
                    space[name] = self.of(value)
        return made

    def _space(self, original: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] | None = self._made.get(id(original))
        if found is None:
            found = self._made[id(original)] = dict(original)
            self._kept.append(original)
        return found

    def _cell(self, cell: CellType) -> CellType:
        found: CellType | None = self._made.get(id(cell))
        if found is None:
            self._kept.append(cell)
            found = self._made[id(cell)] = CellType()
            try:
                content = cell.cell_contents
            except ValueError:  # not filled yet
                return found
            found.cell_contents = self.of(content)
        return found


def names(code: CodeType) -> Iterable[str]:
    """The names that code uses, that of functions inside it too."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from names(constant)


def fresh(answer: Any, memories: "WeakKeyDictionary[Any, Copies] | None" = None) -> Any:
    """An answer as it is before anything has run: a service, a handler, a function, or a mapping of such.

    Raises HandlerError for a service or mapping whose handlers the kit cannot call.
    """
    if memories is None:
        memories = WeakKeyDictionary()
    if isinstance(answer, Service):
        service = Service(answer.name)
        service.handlers = {pattern: fresh(handler, memories) for pattern, handler in answer.handlers.items()}
        return service
    if isinstance(answer, Mapping):
        return {name: fresh(value, memories) for name, value in answer.items()}
    if inspect.iscoroutinefunction(answer):
        return handler_of(answer, memories)
    return Copies().of(answer)


def handler_of(function: Any, memories: "WeakKeyDictionary[Any, Copies]") -> Any:
    """A handler that has one memory for each instance it runs in."""
    check_handler(function, "your answer")

    @functools.wraps(function)
    async def handler(event: Any, ctx: Any) -> Any:
        instance = ctx.instance
        copies = memories.get(instance)
        if copies is None:
            copies = memories[instance] = Copies()
        return await copies.of(function)(event, ctx)

    return handler


def empty(answer: Any) -> bool:
    """Whether nothing has been written yet: only `...`, `pass` or a docstring, or a mapping with `...` in it."""
    if answer is None or answer is ...:
        return True
    if isinstance(answer, Service):
        return all(map(empty, answer.handlers.values()))
    if isinstance(answer, Mapping):
        return not answer or any(empty(part) for pair in answer.items() for part in pair if not isinstance(part, FunctionType))
    code = getattr(answer, "__code__", None)
    if not isinstance(code, CodeType):
        return False
    import dis

    done = {step.opname for step in dis.get_instructions(code)} <= NOTHING_DONE
    return done and not set(code.co_consts) - {None, ..., getattr(answer, "__doc__", None)}
