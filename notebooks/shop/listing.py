"""The code of handlers, to read before it runs."""

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import Any


def code(*functions: Callable[..., Any]) -> str:
    """The source of some functions without their descriptions, one below the other."""
    return "\n\n".join(map(_source, functions))


def _source(function: Callable[..., Any]) -> str:
    lines = textwrap.dedent(inspect.getsource(function)).splitlines()
    tree: Any = ast.parse("\n".join(lines)).body[0]
    if ast.get_docstring(tree):
        first = tree.body[0]
        del lines[first.lineno - 1 : first.end_lineno]
    return "\n".join(lines)
