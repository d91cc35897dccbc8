import subprocess
import sys
from typing import NamedTuple

import pytest

from edakit.measure import Spread
from edakit.table import clean, grid, number, table


class Point(NamedTuple):
    x: int
    y: int


def test_a_table_of_dicts_has_their_keys_as_columns_in_order_of_first_sight():
    rows = table([{"wiring": "parallel", "sold": 855}, {"wiring": "saga", "sold": 900, "late": True}])
    assert str(rows) == "wiring    sold  late\nparallel   855\nsaga       900  yes"
    assert repr(rows) == str(rows)
    assert rows.columns == ("wiring", "sold", "late")


def test_columns_choose_and_order():
    assert str(table([{"a": 1, "b": 2}], columns=("b", "a"))) == "b  a\n2  1"


def test_a_mapping_is_a_list_of_names_and_values_without_a_head():
    assert str(table({"publish": 1000, "ack": 2})) == "publish  1,000\nack          2"


def test_named_tuples_bring_their_names_and_tuples_take_them():
    assert str(table([Point(1, 2)])) == "x  y\n1  2"
    assert str(table([("a", 1)], columns=("name", "n"))) == "name  n\na     1"


def test_rows_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match="a row of 1 cells in a table of 2 columns"):
        table([("a", 1), ("b",)])


def test_fractions_of_a_column_have_equal_decimals():
    lines = str(table({"answer": 0.007, "mail": 0.324, "late": 1.18})).splitlines()
    assert lines == ["answer  0.007", "mail    0.324", "late    1.180"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(1000, "1,000"), (0.324, "0.324"), (12.345, "12.3"), (855.26, "855"), (0.0000123, "0.000012"), (-0.0, "0"), (3.0, "3")],
)
def test_numbers_have_about_three_figures(value, text):
    assert number(value) == text


def test_a_spread_stands_to_the_right_like_a_number():
    rows = [{"wiring": "parallel", "false": Spread(145.2, 134, 156)}, {"wiring": "saga", "false": Spread(0, 0, 0)}]
    assert str(table(rows)) == "wiring            false\nparallel  145 [134-156]\nsaga                  0"


def test_scalars_of_numpy_print_as_numbers():
    numpy = pytest.importorskip("numpy")
    assert str(table({"n": numpy.int64(3), "x": numpy.float64(0.5)})) == "n    3\nx  0.5"


def test_none_is_a_dash_and_truth_is_yes_or_no():
    assert str(table([("a", None), ("b", True), ("c", False)])) == "a  -\nb  yes\nc  no"


def test_a_grid_has_rows_and_columns_in_order_of_first_sight():
    values = {("threads", "call"): 0.0, ("threads", "queue"): 1.0, ("asyncio", "call"): 0.0}
    assert str(grid(values, "io")) == "io       call  queue\nthreads     0      1\nasyncio     0"


def test_hostile_text_stays_on_its_line():
    assert str(table({"a\x1b[2J\n": "b\u202e\r"})) == "a?[2J?  b??"
    assert len(clean("x" * 500)) == 60


def test_an_empty_table_says_so():
    assert str(table([])) == "no rows"


def test_table_and_panel_stay_functions_whatever_is_imported_first():
    script = "import edakit.plot, edakit.table, edakit.panel; from edakit import grid, panel, table; print(table({'a': 1}), panel.__name__)"
    assert subprocess.check_output([sys.executable, "-c", script], timeout=60).split() == [b"a", b"1", b"panel"]
