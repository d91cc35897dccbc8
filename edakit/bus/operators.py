"""What one value of an event must satisfy: a literal, or an operator such as {"prefix": "eu-"}.

A test is a function of a JSON value without structure (string, number, true, false, null). Strings, numbers and the three words are
never equal to each other: 1 == 1.0 == 1e0, but 1 is not "1", and null is not "null".
Source: aws/event-ruler, JsonRuleCompiler (what is valid), ByteMachine, ComparableNumber and CIDR (what matches).
"""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from itertools import pairwise
from operator import eq, ge, gt, le, lt
from typing import Any, NoReturn

from edakit.errors import PatternError

Test = Callable[[Any], bool]

COMPARISONS = {"=": eq, "<": lt, "<=": le, ">": gt, ">=": ge}
V4 = re.compile(r"(\d+)\.(\d+)\.(\d+)\.(\d+)", re.ASCII)
V6 = re.compile(r"[0-9a-fA-F:]*:[0-9a-fA-F:]*")

MOST_WILDCARDS = 5  # EventBridge refuses what is too complex and does not say where that begins; six it has refused

Address = tuple[int, int]  # bits (32 or 128), number


def absent(value: Any) -> bool:
    """The test of {"exists": false}: no value passes; whoever finds none asks for it by name."""
    return False


def refuse(where: str, message: str) -> NoReturn:
    """Raise PatternError with the place and what is wrong there."""
    raise PatternError(f"{where}: {message}")


def test_of(rule: Any, where: str, operators: Mapping[str, Any]) -> Test:
    """The test that a literal or an operator stands for. `operators` are the names allowed here, as in OPERATORS."""
    if not isinstance(rule, Mapping):
        return exactly(rule, where)
    if len(rule) != 1:
        refuse(where, f"one operator in each object, not {len(rule)}: {sorted(map(str, rule))}")
    ((name, argument),) = rule.items()
    if name not in operators:
        refuse(where, f"no operator {name!r}; known: {', '.join(operators)}")
    test: Test = operators[name](argument, f"{where}.{name}")
    return test


def exactly(value: Any, where: str) -> Test:
    """A literal. An IP address equals every spelling of itself."""
    if isinstance(value, str):
        address = _address(value)
        if address is not None:
            return lambda found: isinstance(found, str) and _address(found) == address
        return lambda found: isinstance(found, str) and found == value
    if value is None or isinstance(value, bool):
        return lambda found: found is value
    if _is_number(value):
        return lambda found: _is_number(found) and found == value
    refuse(where, f"a string, a number, true, false, null or an operator, not {value!r}")


def _word(value: Any, where: str) -> str:
    if not isinstance(value, str):
        refuse(where, f"a string, not {value!r}")
    return value


def _like(expression: str) -> Test:
    """Strings that a regular expression covers from end to end."""
    compiled = re.compile(expression, re.DOTALL)
    return lambda found: isinstance(found, str) and compiled.fullmatch(found) is not None


def _plain(value: Any, where: str) -> str:
    return re.escape(_word(value, where))


def _any_case(value: Any, where: str) -> str:
    """The regular expression of a text in any mixture of upper and lower case, character by character."""
    return "".join(
        f"(?:{re.escape(c.lower())}|{re.escape(c.upper())})" if c.lower() != c.upper() else re.escape(c)
        for c in _word(value, where)
    )


def _any_text(value: Any, where: str) -> str:
    """The regular expression of a string, or of {"equals-ignore-case": a string}."""
    if not isinstance(value, Mapping):
        return _plain(value, where)
    if set(value) != {"equals-ignore-case"}:
        refuse(where, f"a string or {{'equals-ignore-case': ...}}, not {dict(value)!r}")
    return _any_case(value["equals-ignore-case"], f"{where}.equals-ignore-case")


def _wildcard(value: Any, where: str) -> Test:
    r"""`*` stands for any characters, none included; `\*` and `\\` for the characters themselves."""
    text, pieces = _word(value, where), [""]
    for token in re.finditer(r"\\[*\\]|.", text, re.DOTALL):
        if token[0] == "\\":
            refuse(where, f"\\ at position {token.start()} of {text!r} stands before neither * nor \\")
        elif token[0] != "*":
            pieces[-1] += re.escape(token[0][-1])
        elif text.startswith("*", token.end()):
            refuse(where, f"two * in a row at position {token.start()} of {text!r}")
        else:
            pieces.append("")
    if len(pieces) - 1 > MOST_WILDCARDS:
        refuse(where, f"too complex: at most {MOST_WILDCARDS} wildcards, not {len(pieces) - 1}")
    if len(pieces) == 1:
        return _like(pieces[0])
    first, *middle, last = pieces
    return _like(first + "".join(f"(?>.*?{piece})" for piece in middle) + f".*{last}")  # what was found first is never given back


def _anything_but(value: Any, where: str, nested: Mapping[str, Any]) -> Test:
    """No value of a list, or of one kind of operator. It needs a value: what is absent is not anything."""
    if isinstance(value, Mapping):
        if len(value) != 1 or next(iter(value)) not in nested:
            refuse(where, f"one of {', '.join(nested)}, not {dict(value)!r}")
        ((name, inner),) = value.items()
        place = f"{where}.{name}"
        words = list(inner) if isinstance(inner, (list, tuple)) else [inner]
        if not words:
            refuse(place, "an empty list leaves nothing out")
        if name in ("prefix", "suffix") and "" in words:
            refuse(place, "every string begins and ends with nothing; leave the empty string out")
        tests = [nested[name](word, place) for word in words]
        return lambda found: not any(test(found) for test in tests)
    values = list(value) if isinstance(value, (list, tuple)) else [value]
    if values and all(isinstance(one, str) for one in values):
        return lambda found: found not in values
    if values and all(_is_number(one) for one in values):
        numbers = [_comparable(one, where) for one in values]
        return lambda found: not _is_number(found) or found not in numbers
    refuse(where, f"a string, a number, a list of strings, a list of numbers or an operator, not {value!r}")


def _numeric(value: Any, where: str) -> Test:
    """["=", n], one bound, or a lower and then an upper one."""
    if not isinstance(value, (list, tuple)):
        refuse(where, f'a list such as [">", 0, "<=", 5], not {value!r}')
    if len(value) not in (2, 4):
        refuse(where, f"a comparison and a number, once or twice, not {list(value)!r}")
    bounds = []
    for sign, number in zip(value[::2], value[1::2], strict=True):
        if not isinstance(sign, str) or sign not in COMPARISONS:
            refuse(where, f"one of {' '.join(COMPARISONS)}, not {sign!r}")
        if not _is_number(number):
            refuse(where, f"a number after {sign}, not {number!r}")
        bounds.append((COMPARISONS[sign], _comparable(number, where)))
    for (low, bottom), (high, top) in pairwise(bounds):
        if low not in (gt, ge) or high not in (lt, le):
            refuse(where, f"a range begins with > or >= and ends with < or <=, not {list(value)!r}")
        if bottom >= top:
            refuse(where, f"the lower bound {bottom!r} must be below the upper one {top!r}")

    def test(found: Any) -> bool:
        number = _rounded(found) if _is_number(found) else None
        return number is not None and all(compare(number, bound) for compare, bound in bounds)

    return test


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _rounded(number: float) -> float | None:
    """A number as a 64-bit float, or None where that would lose digits: such a number has no order here."""
    try:
        nearest = float(number)
    except OverflowError:
        return None
    if nearest - nearest != 0 or (isinstance(number, int) and Decimal(repr(nearest)) != number):
        return None
    return nearest


def _comparable(number: float, where: str) -> float:
    rounded = _rounded(number)
    if rounded is None:
        refuse(where, f"{number!r} has more digits than a 64-bit float, or none: it cannot be compared")
    return rounded


def _exists(value: Any, where: str) -> Test:
    if not isinstance(value, bool):
        refuse(where, f"true or false, not {value!r}")
    return (lambda found: True) if value else absent


def _cidr(value: Any, where: str) -> Test:
    """A block of IPv4 or IPv6 addresses, 10.0.0.0/24."""
    text = _word(value, where)
    base, slash, digits = text.partition("/")
    if not slash or not re.fullmatch(r"\d{1,3}", digits, re.ASCII):
        refuse(where, f"an address, /, and a number of bits, such as 10.0.0.0/24, not {text!r}")
    address = _address(base)
    if address is None:
        refuse(where, f"{base!r} is no IPv4 or IPv6 address")
    bits, number = address
    if int(digits) >= bits:
        refuse(where, f"an IPv{4 if bits == 32 else 6} block has fewer than {bits} fixed bits, not {digits}")
    free = bits - int(digits)

    def test(found: Any) -> bool:
        other = _address(found) if isinstance(found, str) else None
        return other is not None and other[0] == bits and other[1] >> free == number >> free

    return test


def _address(text: str) -> Address | None:
    """An IP address as a number; None for any other text. An IPv4 address in an IPv6 coat is an IPv4 address."""
    if found := V4.fullmatch(text):
        parts = [part.lstrip("0") or "0" for part in found.groups()]
        if any(len(part) > 3 or int(part) > 255 for part in parts):
            return None
        return 32, int.from_bytes(bytes(map(int, parts)))
    if not V6.fullmatch(text):
        return None
    import ipaddress  # few patterns need it

    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped
    return (128, int(address)) if mapped is None else (32, int(mapped))


TEXT: dict[str, Callable[[Any, str], Test]] = {  # also inside anything-but
    "prefix": lambda value, where: _like(_plain(value, where) + ".*"),
    "suffix": lambda value, where: _like(".*" + _plain(value, where)),
    "equals-ignore-case": lambda value, where: _like(_any_case(value, where)),
    "wildcard": _wildcard,
}
OPERATORS: dict[str, Callable[[Any, str], Test]] = {
    "exactly": lambda value, where: _like(_plain(value, where)),
    **TEXT,
    "prefix": lambda value, where: _like(_any_text(value, where) + ".*"),
    "suffix": lambda value, where: _like(".*" + _any_text(value, where)),
    "anything-but": lambda value, where: _anything_but(value, where, TEXT),
    "numeric": _numeric,
    "exists": _exists,
    "cidr": _cidr,
}
SNS_OPERATORS = {name: test for name, test in {**OPERATORS, **TEXT}.items() if name not in ("exactly", "wildcard")}
SNS_OPERATORS["anything-but"] = lambda value, where: _anything_but(value, where, {"prefix": TEXT["prefix"]})
