"""Errors: one tree, one line for a learner."""

import json
import subprocess
import sys

import pytest

import edakit.errors
from edakit import Lab, Service
from edakit.errors import CallError, CallFailed, CallRefused, CallTimeout, EdakitError, Mistake, WiringError, known

TREE = [each for each in vars(edakit.errors).values() if isinstance(each, type) and issubclass(each, EdakitError)]


@pytest.mark.parametrize("error", TREE)
def test_every_error_is_in_the_tree_and_in_its_documentation(error):
    assert issubclass(error, EdakitError)
    if error not in (EdakitError, Mistake):
        assert f" {error.__name__} " in edakit.errors.__doc__


def test_errors_are_those_that_python_would_raise_too():
    assert issubclass(WiringError, LookupError)
    assert issubclass(edakit.errors.PayloadError, ValueError)
    assert issubclass(edakit.errors.HandlerError, TypeError)
    assert issubclass(CallTimeout, TimeoutError)


def test_a_call_says_what_is_known_of_its_outcome():
    assert [error.outcome for error in (CallError, CallTimeout, CallFailed, CallRefused)] == ["unknown"] * 3 + ["no"]


def test_a_lookup_error_reads_as_a_sentence_without_quotes_around_it():
    assert str(WiringError("no queue named 'x'")) == "no queue named 'x'"
    assert str(WiringError()) == ""


def test_an_unknown_name_comes_with_those_there_are():
    assert known("queue", "paymnt", ["payment", "mail"]) == "no queue named 'paymnt'; known: mail, payment"
    assert known("queue", 42, []) == "no queue named 42; known: none yet"


def test_the_traceback_of_a_notebook_is_the_learners_line_and_the_sentence():
    lab = Lab()
    with pytest.raises(EdakitError) as raised:
        lab.call("paymnt", {})
    shown = raised.value._render_traceback_()
    assert [line.split(":")[1].strip() if "line" in line else line for line in shown] == [
        'lab.call("paymnt", {})',
        "WiringError: no service named 'paymnt'; known: none yet",
    ]


def test_an_error_that_was_never_raised_shows_its_sentence_alone():
    assert WiringError("no such thing")._render_traceback_() == ["WiringError: no such thing"]


def test_a_mistake_in_a_handler_shows_the_line_of_the_handler():
    lab, payment = Lab(), Service("payment")

    @payment.on("order.placed")
    async def charge(order, ctx):
        await ctx.sleep(-1)

    broker = lab.broker("shop")
    lab.deploy(payment, on=broker)
    broker.publish("order.placed", {})
    with pytest.raises(EdakitError) as raised:
        lab.run()
    first, second = raised.value._render_traceback_()
    assert first.endswith(": await ctx.sleep(-1)")
    assert second == "DurationError: ctx.sleep is -1: give a number of seconds, 0 or more"


SHELL = """
import io, json, contextlib
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance()
out = io.StringIO()
with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
    shell.run_cell("from edakit import Lab\\nlab = Lab()\\nlab.call('paymnt', {})\\n")
print(json.dumps(out.getvalue()))
"""


def test_ipython_shows_one_line_of_code_and_one_sentence():
    pytest.importorskip("IPython")
    done = subprocess.run([sys.executable, "-c", SHELL], capture_output=True, text=True, timeout=60, check=True)
    lines = json.loads(done.stdout.splitlines()[-1]).strip().split("\n")
    assert len(lines) == 2
    assert lines[0].endswith("lab.call('paymnt', {})")
    assert lines[1] == "WiringError: no service named 'paymnt'; known: none yet"
