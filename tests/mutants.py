"""Code with one small change: a statement left out, a condition turned round, a comparison, a word or a number that is another."""

import ast
import copy
from collections.abc import Iterator

FLIPPED = {ast.Lt: ast.GtE, ast.Gt: ast.LtE, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is}
OTHER = {ast.And: ast.Or, ast.Or: ast.And}


def mutants(code: str) -> Iterator[tuple[str, str]]:
    """(what is changed, code) for each change that can be made inside a function or a mapping."""
    tree = ast.parse(code)
    for at, node in enumerate(ast.walk(tree)):
        for what, change in changes(node):
            other = copy.deepcopy(tree)
            change(next(each for n, each in enumerate(ast.walk(other)) if n == at))
            yield f"line {getattr(node, 'lineno', 0)}: {what}", ast.unparse(ast.fix_missing_locations(other))


def changes(node):
    """The changes that a node allows: (name, function that makes it)."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.With | ast.AsyncWith | ast.For | ast.If | ast.Try):
        for n, statement in enumerate(node.body):
            if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.Pass):
                yield f"without {ast.unparse(statement)[:50]!r}", lambda it, n=n: it.body.__setitem__(n, ast.Pass())
    if isinstance(node, ast.If | ast.IfExp):
        yield f"not {ast.unparse(node.test)}", lambda it: setattr(it, "test", ast.UnaryOp(ast.Not(), it.test))
    if isinstance(node, ast.Compare) and type(node.ops[0]) in FLIPPED:
        yield f"turned round {ast.unparse(node)}", lambda it: it.ops.__setitem__(0, FLIPPED[type(it.ops[0])]())
    if isinstance(node, ast.BoolOp):
        yield f"or for and {ast.unparse(node)[:50]}", lambda it: setattr(it, "op", OTHER[type(it.op)]())
    if isinstance(node, ast.Dict):
        for n, key in enumerate(node.keys):
            if key is not None and len(node.keys) > 1:
                yield f"without {ast.unparse(key)}", lambda it, n=n: (it.keys.pop(n), it.values.pop(n))
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield f"another word for {node.value!r}", lambda it: setattr(it, "value", f"{it.value}x")
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        yield f"{node.value} + 1", lambda it: setattr(it, "value", it.value + 1)
        yield f"{node.value} / 10", lambda it: setattr(it, "value", it.value / 10)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield f"no minus before {ast.unparse(node.operand)}", lambda it: setattr(it, "op", ast.UAdd())
