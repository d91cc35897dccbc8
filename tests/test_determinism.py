"""The same seed, the same trace: in another process, under another hash seed, on every Python there is here."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import systems

from edakit import Lab

TESTS = Path(__file__).parent
COUNT = 25


def pythons() -> list[str]:
    """One executable for each Python 3.11 or later on this machine, this one first."""
    candidates = [sys.executable, *sorted(map(str, Path.home().glob(".pyenv/versions/3.*/bin/python3")))]
    candidates += [found for minor in range(11, 20) if (found := shutil.which(f"python3.{minor}"))]
    asks = "import sys; print(sys.version_info >= (3, 11), sys.version.split()[0], sys.implementation.name)"
    found: dict[str, str] = {}
    for each in candidates:
        done = subprocess.run([each, "-c", asks], capture_output=True, text=True, timeout=30, check=False)
        if done.returncode == 0 and done.stdout.startswith("True"):
            found.setdefault(done.stdout.strip(), each)
    return list(found.values())


def digests(python: str, hash_seed: str) -> list[str]:
    """The digests of the random systems in a new process: the standard library alone."""
    env = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(TESTS.parent)}
    done = subprocess.run(
        [python, "-s", str(TESTS / "systems.py"), "0", str(COUNT)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env=env,
        cwd=TESTS,
    )
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def here() -> list[str]:
    return [systems.digest(number) for number in range(COUNT)]


def test_systems_differ(here):
    assert len(set(here)) == COUNT


def test_a_second_run_in_this_process_is_the_same(here):
    assert [systems.digest(number) for number in range(COUNT)] == here


@pytest.mark.parametrize("hash_seed", ["0", "1", "4242"])
def test_another_process_with_another_hash_seed_is_the_same(here, hash_seed):
    assert digests(sys.executable, hash_seed) == here


def test_every_python_here_is_the_same(here):
    found = pythons()
    assert found, "at least this one"
    for python in found:
        assert digests(python, "7") == here, python


def test_another_seed_is_another_run():
    def run(seed):
        return systems.build(Lab(seed), 3).run(60).trace.digest()

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_looking_changes_nothing(here):
    lab = systems.build(Lab(seed=4), 4)
    for until in range(1, 61):
        lab.run(until)
        repr(lab), repr(lab.trace), lab.trace.digest(), lab.trace.state_at(until), lab.topology(), lab.stuck()
    lab.close()
    assert lab.trace.digest() == here[4]


def test_one_more_service_changes_no_other_ones_random_numbers():
    from edakit import Service

    def times(more):
        lab, log = Lab(1), []
        payment, audit = Service("payment"), Service("audit")

        @payment.on("order.placed")
        async def charge(order, ctx):
            log.append(ctx.random.random())

        @audit.on("order.placed")
        async def note(order, ctx):
            ctx.random.random()

        shop = lab.broker("shop")
        if more:
            lab.deploy(audit, on=shop)
        lab.deploy(payment, on=shop)
        for n in range(5):
            shop.publish("order.placed", {}, key=n)
        lab.run()
        return log

    assert times(more=False) == times(more=True)
