"""The database of a service in a file: the calls of the lab, and nothing lost that was committed."""

import asyncio
import itertools
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


def test_neither_the_relay_nor_a_reader_sees_what_is_not_committed(db):
    sent, seen = [], []

    async def send(event):
        sent.append(event.data["n"])

    async def change(n, error=None):
        async with db.transaction() as tx:
            await tx.put("n", n)
            tx.publish("n.made", {"n": n})
            for _ in range(5):
                await asyncio.sleep(0)
                seen.append((await tx.get("n"), await db.get("n"), len({event.data["n"] for event in db.outbox()} | {*sent})))
                await asyncio.sleep(0)
            if error:
                raise error

    async def story():
        await asyncio.gather(
            *(change(n, RuntimeError() if n == 2 else None) for n in (1, 2, 3)), relaying(), return_exceptions=True
        )
        await db.relay(send)

    async def relaying():
        for _ in range(60):
            await db.relay(send)
            await asyncio.sleep(0)

    asyncio.run(story())
    assert set(seen) == {(1, None, 0), (2, 1, 1), (3, 1, 1)}
    assert sent == [1, 3]


def test_what_would_wait_for_itself_is_told_so(db):
    async def inside(what):
        async with db.transaction() as tx:
            await tx.put("a", 1)
            await what()

    async def send(event):
        pass

    async def story():
        async with db.transaction() as tx:
            tx.publish("a.made")
        for what in (lambda: db.put("a", 2), lambda: db.relay(send), lambda: db.transaction().__aenter__()):
            with pytest.raises(WiringError, match="would wait for its end"):
                await asyncio.wait_for(inside(what), 5)
        assert await db.get("a") is None
        over = db.transaction()
        async with over:
            pass
        with pytest.raises(WiringError, match="make another"):
            await over.__aenter__()

    asyncio.run(story())


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


BLOCKS = st.lists(
    st.tuples(
        st.lists(
            st.one_of(
                st.tuples(
                    st.sampled_from(["put", "put", "get"]), st.sampled_from("ab"), st.integers() | st.none() | st.just([{"x": 1}])
                ),
                st.tuples(st.just("add"), st.sampled_from("cd"), st.integers(-3, 3)),
                st.tuples(st.just("delete"), st.sampled_from("abcd")),
                st.tuples(st.just("insert_once"), st.just("seen"), st.sampled_from([1, "1", "y"])),
                st.tuples(
                    st.just("publish"), st.sampled_from(["a.made", "b.made"]), st.integers() | st.none(), st.sampled_from("kl")
                ),
            ),
            max_size=6,
        ),
        st.booleans(),
    ),
    max_size=4,
)


@given(BLOCKS)
def test_the_transactions_of_the_lab_and_of_the_file_answer_and_publish_alike(blocks):
    async def work(db, said):
        for statements, fails in blocks:
            try:
                async with db.transaction() as tx:
                    for name, *args in statements:
                        answer = getattr(tx, name)(*args)
                        said.append(tuple(answer)[1:2] + tuple(answer)[3:5] if name == "publish" else await answer)
                    if fails:
                        raise RuntimeError
            except RuntimeError:
                said.append("undone")
            said.append([await db.get(key) for key in ("a", "b", "c", "d", "seen/1", "seen/y")])

    in_lab, in_file, service = [], [], Service("worker")

    @service.on("go")
    async def handle(event, ctx):
        await work(ctx.db, in_lab)

    lab = Lab()
    shop = lab.broker("shop")
    lab.deploy(service, on=shop, db=lab.database("db"))
    shop.publish("go")
    lab.run()
    file = Sqlite(":memory:")
    asyncio.run(work(file, in_file))
    assert in_file == in_lab
    published = [(row.event.type, row.event.data, row.event.key) for row in lab.trace.where("publish", who="worker")]
    assert [(event.type, event.data, event.key) for event in file.outbox()] == published
    file.close()


def test_two_processes_lose_no_update(tmp_path):
    path = tmp_path / "shelf.db"
    Sqlite(path).close()
    add = (
        "import asyncio, sys\nfrom edakit.real import Sqlite\nasync def main():\n    db = Sqlite(sys.argv[1])\n    for _ in range(40):\n"
        "        async with db.transaction() as tx:\n            await tx.put('n', await tx.get('n', 0) + 1)\nasyncio.run(main())"
    )
    both = [subprocess.Popen([sys.executable, "-c", add, str(path)]) for _ in range(2)]
    assert [each.wait(timeout=60) for each in both] == [0, 0]
    db = Sqlite(path)
    assert asyncio.run(db.get("n")) == 80
    db.close()


RELAY = """
import asyncio, os, sys
from edakit.real import Sqlite
async def main():
    db, sent = Sqlite(sys.argv[1]), os.open(sys.argv[2], os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    async def send(event):
        os.write(sent, b"%d\\n" % event.data["n"])
    print("up", flush=True)
    await db.relay(send)
asyncio.run(main())
"""


def test_a_relay_killed_between_sending_and_striking_off_sends_one_again_and_skips_none(tmp_path):
    path, out, dice = tmp_path / "shelf.db", tmp_path / "sent", random.Random(5)
    db = Sqlite(path)

    async def fill():
        async with db.transaction() as tx:
            for n in range(1, 401):
                tx.publish("n.made", {"n": n})

    asyncio.run(fill())
    kills = 0
    while db.outbox(1):
        relay = subprocess.Popen([sys.executable, "-c", RELAY, str(path), str(out)], stdout=subprocess.PIPE, text=True)
        relay.stdout.readline()
        if kills < 4:
            time.sleep(dice.uniform(0.001, 0.02))
            relay.kill()
        kills += relay.wait(timeout=60) != 0
        relay.stdout.close()
    db.close()
    sent = [int(line) for line in out.read_text().split()]
    assert sorted(set(sent)) == list(range(1, 401))
    assert all(after in (before, before + 1) for before, after in itertools.pairwise(sent))
    assert len(sent) <= 400 + kills


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
