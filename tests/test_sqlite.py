"""The database of a service in a file: the calls of the lab, and nothing lost that was committed."""

import asyncio
import random
import signal
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edakit import Lab, Service
from edakit.errors import PayloadError, WiringError
from edakit.real import Sqlite


@pytest.fixture
def db(tmp_path):
    made = Sqlite(tmp_path / "shelf.db")
    yield made
    made.close()


def test_a_transaction_is_all_or_nothing(db):
    async def fails():
        async with db.transaction() as tx:
            await tx.add("tea", -1)
            tx.publish("stock.reserved", {"order": 42}, key="42")
            raise RuntimeError("no")

    async def story():
        await db.put("tea", 10)
        with pytest.raises(RuntimeError):
            await fails()
        assert await db.get("tea") == 10
        assert db.outbox() == []
        async with db.transaction() as tx:
            assert await tx.insert_once("seen", "order-42")
            assert not await tx.insert_once("seen", "order-42")
            assert await tx.add("tea", -1, where=lambda left: left > 0)
            assert not await tx.add("tea", -1, where=lambda left: left > 100)
            tx.publish("stock.reserved", {"order": 42}, key="42")
        assert await db.get("tea") == 9
        assert [(event.id, event.key, event.data) for event in db.outbox()] == [("stock-42.reserved.1", "42", {"order": 42})]

    asyncio.run(story())


def test_the_relay_sends_in_order_and_strikes_off_what_is_sent(db):
    sent = []

    async def send(event):
        if event.data["n"] == 3 and event.id not in sent:
            sent.append(event.id)
            raise ConnectionError("gone")
        sent.append(event.id)

    async def story():
        async with db.transaction() as tx:
            for n in range(1, 6):
                tx.publish("n.made", {"n": n})
        with pytest.raises(ConnectionError):
            await db.relay(send)
        assert [event.data["n"] for event in db.outbox()] == [3, 4, 5]
        assert await db.relay(send) == 3
        assert db.outbox() == []

    asyncio.run(story())
    assert [id.rpartition(".")[2] for id in sent] == ["1", "2", "3", "3", "4", "5"]


def test_tasks_take_turns(db):
    async def spend():
        async with db.transaction() as tx:
            left = await tx.get("tea", 0)
            await asyncio.sleep(0)
            await tx.put("tea", left + 1)

    async def story():
        await asyncio.gather(*(spend() for _ in range(20)))
        return await db.get("tea")

    assert asyncio.run(story()) == 20


def test_mistakes_say_what_to_do(db, tmp_path):
    async def outside():
        await db.transaction().put("tea", 1)

    async def wrong():
        await db.put(7, 1)

    with pytest.raises(WiringError, match="inside its block"):
        asyncio.run(outside())
    with pytest.raises(PayloadError, match="keys are strings"):
        asyncio.run(wrong())
    path = tmp_path / "notes.txt"
    path.write_text("no database, " * 100)
    with pytest.raises(ValueError, match="no database of a service"):
        Sqlite(path)


STATEMENTS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from("ab"), st.integers() | st.none()),
        st.tuples(st.just("add"), st.sampled_from("cd"), st.integers(-3, 3)),
        st.tuples(st.just("delete"), st.sampled_from("abcd")),
        st.tuples(st.just("insert_once"), st.just("seen"), st.sampled_from("xy")),
        st.tuples(st.just("get"), st.sampled_from("abcd")),
    ),
    max_size=12,
)


@given(STATEMENTS)
def test_the_lab_and_the_file_answer_alike(statements):
    answers = []

    async def work(db):
        answers.append([await getattr(db, name)(*args) for name, *args in statements])
        answers.append([await db.get(key) for key in ("a", "b", "c", "d", "seen/x", "seen/y")])

    service = Service("worker")

    @service.on("go")
    async def handle(event, ctx):
        await work(ctx.db)

    lab = Lab()
    shop = lab.broker("shop")
    lab.deploy(service, on=shop, db=lab.database("db"))
    shop.publish("go")
    lab.run()
    file = Sqlite(":memory:")
    asyncio.run(work(file))
    file.close()
    assert answers[:2] == answers[2:]


WRITER = """
import asyncio, sys
from edakit.real import Sqlite
async def main():
    db = Sqlite(sys.argv[1])
    n = await db.get("n", 0)
    while True:
        async with db.transaction() as tx:
            n += 1
            await tx.put("n", n)
            tx.publish("n.made", {"n": n})
        print(n, flush=True)
asyncio.run(main())
"""


def test_a_kill_loses_no_commit_and_leaves_no_half_of_one(tmp_path):
    path, dice, acknowledged = tmp_path / "shelf.db", random.Random(3), 0
    for _ in range(4):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
        lines = [writer.stdout.readline()]
        time.sleep(dice.uniform(0.01, 0.15))
        writer.send_signal(signal.SIGKILL)
        lines += writer.communicate()[0].splitlines(keepends=True)
        acknowledged = max([acknowledged, *(int(line) for line in lines if line.endswith("\n") and line.strip())])
    db = Sqlite(path)
    n = asyncio.run(db.get("n"))
    assert n >= acknowledged > 0
    assert [event.data["n"] for event in db.outbox(10**6)] == list(range(1, n + 1)), (
        "the event is there if and only if the change is"
    )
    db.close()
