"""Small aligned text tables: what a cell prints, what a reader compares, and what a picture says in words.

The same values give the same text on every machine: no wall clock, no set order, no HTML. Numbers stand to the right,
whole ones with a comma per thousand, others with about three figures, the same number of decimals in a whole column.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

WIDEST = 60  # characters of one cell
MOST = 6  # decimals of a number, however small


class Table:
    """Cells in columns. `str()` is the aligned text; the cells themselves stay readable as `.columns` and `.rows`."""

    def __init__(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        self.columns = tuple(columns)
        self.rows = tuple(tuple(row) for row in rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __str__(self) -> str:
        if not self.rows:
            return "no rows"
        texts, right = [], []
        for n, name in enumerate(self.columns):
            values = [row[n] for row in self.rows]
            texts.append([clean(name), *_column(values)])
            right.append(all(_is_number(value) or value is None or value == "" for value in values))
        wide = [max(map(len, column)) for column in texts]
        first = 0 if any(self.columns) else 1
        lines = []
        for n in range(first, len(self.rows) + 1):
            cells = [text[n].rjust(w) if r else text[n].ljust(w) for text, w, r in zip(texts, wide, right, strict=True)]
            lines.append("  ".join(cells).rstrip())
        return "\n".join(lines)

    __repr__ = __str__


def table(rows: Any, columns: Sequence[str] | None = None) -> Table:
    """Lay rows out as a text table.

    `rows` is a mapping of names to values, or an iterable of dicts (their keys name the columns, in order of first
    sight), of named tuples, or of plain tuples (which `columns` names). With dicts, `columns` chooses and orders.
    Raises ValueError for rows of unequal length.
    """
    if isinstance(rows, Mapping):
        return Table(tuple(columns) if columns else ("", ""), [(name, value) for name, value in rows.items()])
    rows = list(rows)
    if rows and all(isinstance(row, Mapping) for row in rows):
        names = tuple(columns) if columns else tuple(dict.fromkeys(name for row in rows for name in row))
        return Table([str(name) for name in names], [[row.get(name, "") for name in names] for row in rows])
    cells = [tuple(row) if isinstance(row, (tuple, list)) else (row,) for row in rows]
    if columns is None:
        fields = getattr(rows[0], "_fields", None) if rows else None
        columns = fields or ("",) * max((len(row) for row in cells), default=0)
    for row in cells:
        if len(row) != len(columns):
            raise ValueError(f"a row of {len(row)} cells in a table of {len(columns)} columns: {row!r}")
    return Table(columns, cells)


def grid(values: Mapping[tuple[Any, Any], Any], corner: str = "") -> Table:
    """Lay a mapping of (row, column) -> value out as a square; what is missing stays empty."""
    down = tuple(dict.fromkeys(row for row, _ in values))
    across = tuple(dict.fromkeys(column for _, column in values))
    cells = [[row, *[values.get((row, column), "") for column in across]] for row in down]
    return Table([corner, *map(str, across)], cells)


def number(value: float, decimals: int | None = None) -> str:
    """A number as a person reads it: 1,000; 0.324; 12.3."""
    if isinstance(value, int):
        return f"{value:,}"
    if not math.isfinite(value):
        return str(value)
    text = f"{value:,.{_decimals([value]) if decimals is None else decimals}f}"
    return text[1:] if text.startswith("-") and not text.strip("-0.,") else text  # never -0


def clean(text: object, most: int = WIDEST) -> str:
    """Text of unknown origin as one short line that moves no cursor."""
    line = "".join(char if char.isprintable() else "?" for char in str(text)[: most + 1])  # a long text is not read to its end
    return line if len(line) <= most else line[: most - 3] + "..."


def _column(values: list[Any]) -> list[str]:
    """The texts of one column, its fractions with equal decimals."""
    decimals = _decimals([value for value in map(_plain, values) if isinstance(value, float) and math.isfinite(value)])
    return [_cell(_plain(value), decimals) for value in values]


def _cell(value: Any, decimals: int) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        return number(value, decimals)
    return clean(value)


def _decimals(values: list[float]) -> int:
    """Enough decimals for three figures of the largest value and one of the smallest, and none that says nothing."""
    sizes = [abs(value) for value in values if value]
    if all(size == int(size) for size in sizes):
        return 0
    places = [2 - math.floor(math.log10(max(sizes))), -math.floor(math.log10(min(sizes)))]
    most = min(MOST, max(0, *places))
    return next(n for n in range(most + 1) if all(round(value, n) == round(value, most) for value in values))


def _plain(value: Any) -> Any:
    """Scalars of other libraries as Python's own, so that no table prints np.float64(...)."""
    if isinstance(value, (bool, int, float, str)) or value is None:
        return float(value) if isinstance(value, float) else value
    item = getattr(value, "item", None)
    return item() if callable(item) and getattr(value, "ndim", 1) == 0 else value


def _is_number(value: Any) -> bool:
    value = _plain(value)
    return not isinstance(value, bool) and isinstance(value, (int, float, tuple))  # a tuple: a mean with its range
