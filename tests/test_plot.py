import base64
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from edakit import CallTimeout, Crash, Faults, Lab, Refused, Saga, Service, Trace, measure, plot, run
from edakit.errors import ArgumentError, EmptyTrace
from edakit.event import Event
from edakit.measure import Spread
from edakit.plot.scene import scene
from edakit.trace import Keys, Row


def shop(lab, orders=1, instances=1):
    payment, notification = Service("payment"), Service("notification")

    @payment.on("order.placed")
    async def charge(order, ctx):
        await ctx.sleep(0.2)
        await ctx.publish("payment.processed")
        await ctx.sleep(0.1)

    @notification.on("payment.processed")
    async def tell(paid, ctx):
        await ctx.sleep(0.05)
        await ctx.publish("mail.sent")

    broker = lab.broker("shop", like="rabbitmq")
    lab.deploy(payment, on=broker, instances=instances)
    lab.deploy(notification, on=broker)
    for n in range(orders):
        broker.publish("order.placed", {}, key=42 + n, source="web")


def asking(lab):
    web, payment = Service("web"), Service("payment")

    @payment.on("charge")
    async def charge(request, ctx):
        await ctx.sleep(0.2)

    @web.on("buy")
    async def buy(order, ctx):
        for _ in range(2):
            try:
                await ctx.call("payment", timeout=0.5)
            except CallTimeout:
                ctx.log("again")
            else:
                ctx.log("answer")
                return

    lab.deploy(web, on=lab.server("front"))
    lab.deploy(payment, on=lab.server("bank"))
    lab.call("web", key=42, source="ada")


def streaming(lab):
    billing, audit = Service("billing"), Service("audit")

    @billing.on("order.placed")
    async def bill(order, ctx):
        await ctx.sleep(0.1)

    @audit.on("order.placed")
    async def note(order, ctx):
        await ctx.sleep(0.01)

    orders = lab.stream("orders", partitions=2, like="kafka")
    lab.deploy(billing, on=orders, instances=2)
    lab.deploy(audit, on=orders)
    for n in range(8):
        orders.publish("order.placed", {}, key=n, source="web")


def checkout(lab):
    saga = Saga("checkout", on="order.placed")

    async def release(order, ctx):
        await ctx.sleep(0.1)

    @saga.step(compensate=release)
    async def reserve(order, ctx):
        await ctx.sleep(0.1)

    @saga.step()
    async def charge(order, ctx):
        if order.data["order"] == 1:
            raise Refused("no money")

    broker = lab.broker("shop", like="rabbitmq")
    lab.deploy(saga, on=broker)
    for n in range(3):
        broker.publish("order.placed", {"order": n}, key=n, source="web")


A, B = Keys(range(10)), Keys(range(5, 12))
PICTURES = {
    "timeline": lambda: plot.timeline(run(shop)),
    "crash": lambda: plot.timeline(run(shop, faults=Crash("payment", at=0.25, restart_after=1))),
    "busy": lambda: plot.timeline(run(shop, orders=40, instances=3)),
    "two": lambda: plot.timeline(run(asking), run(shop), titles=("called", "told")),
    "topology": lambda: plot.topology(run(shop), highlight=["notification"]),
    "partitions": lambda: plot.partitions(run(streaming, until=0.4)),
    "lag": lambda: plot.lag(run(streaming, until=0.4)),
    "backlog": lambda: plot.backlog(run(shop, orders=5)),
    "saga": lambda: plot.saga(run(checkout)),
    "cdf": lambda: plot.cdf({"a": [0.1, 0.2, 0.4], "b": [3.0, 9.0]}),
    "lines": lambda: plot.lines({"sold": {0.2: Spread(900, 890, 900), 60: (879, 872, 887)}}, "payment time (s)", "sold"),
    "sets": lambda: plot.sets({"mailed": A, "paid": B}, {"false mail": A - B}),
    "course": plot.course,
}
every_picture = pytest.mark.parametrize("name", PICTURES)


def size(png):
    return struct.unpack(">II", png[16:24])


@every_picture
def test_a_picture_is_a_figure_as_wide_as_a_notebook_and_says_in_words_what_it_shows(name):
    picture = PICTURES[name]()
    png = picture.png()
    assert isinstance(picture, Figure)
    assert size(png)[0] == 900
    assert len(png) < 100_000
    assert str(picture) == repr(picture) == picture.twin != ""
    assert picture._repr_mimebundle_() == {"text/plain": picture.twin, "image/png": base64.b64encode(png).decode()}


@every_picture
def test_the_same_run_gives_the_same_bytes(name):
    assert PICTURES[name]().png() == PICTURES[name]().png()


def test_bytes_do_not_depend_on_the_hash_seed():
    script = (
        "import hashlib, test_plot; print([hashlib.sha256(make().png() + str(make()).encode()).hexdigest()"
        " for make in test_plot.PICTURES.values()])"
    )
    tests = Path(__file__).parent
    path = os.pathsep.join([str(tests), str(tests.parent)])
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path},
            stdout=subprocess.PIPE,
        )
        for seed in ("1", "2")
    ]
    found = {process.communicate(timeout=100)[0] for process in started}
    assert len(found) == 1
    assert found.pop().count(b"'") == 2 * len(PICTURES)


def test_a_picture_ignores_and_keeps_the_readers_own_settings():
    import matplotlib as mpl

    plain = PICTURES["lag"]().png()
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "black", "savefig.bbox": "tight", "savefig.transparent": True}):
        assert PICTURES["lag"]().png() == plain
        assert mpl.rcParams["font.size"] == 30


def test_the_ground_is_opaque_white_also_in_a_dark_notebook():
    from io import BytesIO

    from matplotlib.image import imread

    for make in PICTURES.values():
        corner = imread(BytesIO(make().png()))[0, 0]
        assert corner.tolist() == [1, 1, 1, 1]


def test_no_picture_leaks_into_pyplot():
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    PICTURES["timeline"]().png()
    assert plt.get_fignums() == before


def test_a_notebook_shows_it_once():
    shell = pytest.importorskip("IPython.core.formatters")
    data, _ = shell.DisplayFormatter().format(PICTURES["timeline"]())
    assert set(data) == {"text/plain", "image/png"}


@pytest.mark.parametrize("draw", [plot.timeline, plot.topology, plot.partitions, plot.lag, plot.backlog, plot.saga])
def test_a_run_without_rows_says_what_to_do(draw):
    for source in (Trace(), Lab()):
        with pytest.raises(EmptyTrace, match=r"publish something and call lab.run\(\)"):
            draw(source)
    with pytest.raises(TypeError, match="draws a lab or a trace, not int"):
        draw(7)


@pytest.mark.parametrize("draw", [plot.partitions, plot.lag, plot.saga])
def test_a_run_without_the_right_parts_says_which(draw):
    with pytest.raises(EmptyTrace, match=r"deploy|publish"):
        draw(run(shop))
    with pytest.raises(EmptyTrace, match="deploy"):
        plot.backlog(run(asking))
    with pytest.raises(EmptyTrace, match="these rows have none"):
        plot.timeline(Trace([Row(0, "read", "stock", "web", None, 0, 0, "tea")]))


def test_a_timeline_has_a_lane_per_node_and_an_arrow_per_message():
    lab = run(shop)
    lines = str(plot.timeline(lab)).splitlines()
    assert lines[0] == "lanes web, shop, payment, notification"
    counts = lab.trace.counts()
    assert len([line for line in lines if " -> " in line]) == counts["publish"] + counts["deliver"] + counts["ack"]
    assert "    0.002  payment  handler at work until 0.304" in lines


def test_a_crash_cuts_the_bar_and_the_message_comes_again():
    lab = run(shop, faults=Crash("payment", at=0.25, restart_after=1))
    told = scene(lab.trace)
    assert [(bar.who, bar.how) for bar in told.bars if bar.who == "payment"] == [("payment", "cut"), ("payment", "done")]
    assert [arrow.again for arrow in told.arrows if arrow.target == "payment"] == [False, True]
    assert told.down == [("payment", 250_000_000, 1_250_000_000)]
    text = str(plot.timeline(lab))
    assert "payment  crash" in text
    assert "shop -> payment  event order-42.placed.1, again" in text


def test_a_lost_message_ends_half_way():
    lab = run(shop, faults=Faults(drop=1, leg="deliver", where=("shop", "notification"), times=1))
    lost = [arrow for arrow in scene(lab.trace).arrows if arrow.lost]
    assert [(arrow.source, arrow.target, arrow.kind) for arrow in lost] == [("shop", "notification", "event")]
    assert "event payment-42.processed.1, lost" in str(plot.timeline(lab))


def test_a_lost_reply_is_lost_and_a_lost_request_never_starts_work():
    reply = scene(run(asking, faults=Faults(drop=1, leg="reply", where=("payment", "web"), times=1)).trace)
    request = scene(run(asking, faults=Faults(drop=1, leg="request", where="web", type="charge", times=1)).trace)
    assert [arrow.kind for arrow in reply.arrows if arrow.lost] == ["reply"]
    assert [arrow.kind for arrow in request.arrows if arrow.lost] == ["call"]
    assert [len([bar for bar in told.bars if bar.who == "payment"]) for told in (reply, request)] == [2, 1]
    assert [mark.kind for mark in reply.marks] == ["timeout", "log", "log"]


def test_calls_and_replies_run_between_the_caller_and_the_service():
    told = scene(run(asking).trace)
    assert [(arrow.source, arrow.target, arrow.kind) for arrow in told.arrows] == [
        ("ada", "web", "call"), ("web", "payment", "call"), ("payment", "web", "reply"), ("web", "ada", "reply"),
    ]  # fmt: skip
    assert list(told.kinds) == ["ada", "web", "payment"]


def test_a_request_by_way_of_a_broker_is_drawn_once():
    asker, payment = Service("asker"), Service("payment")

    @payment.on("charge")
    async def charge(request, ctx):
        await ctx.sleep(0.1)

    @asker.on("order.placed")
    async def ask(order, ctx):
        await ctx.call("payment/charge", order.data, timeout=5)

    lab = Lab(seed=1)
    shop = lab.broker("shop", like="rabbitmq")
    lab.deploy(asker, on=shop)
    lab.deploy(payment, on=shop)
    shop.publish("order.placed", {"order": 42}, key="42")
    told = scene(lab.run().trace)
    calls = [(arrow.source, arrow.target) for arrow in told.arrows if arrow.kind == "call"]
    assert calls == [("asker", "shop"), ("shop", "payment")]
    assert {bar.how for bar in told.bars} == {"done"}


def test_several_runs_share_time_and_a_moment_is_marked_in_each():
    text = str(plot.timeline(run(asking), run(shop), titles=("called", "told"), mark="answer"))
    assert "called: lanes ada, web, payment" in text
    assert "told: lanes web, shop, payment, notification" in text
    assert "marked: 0.203 s" in text


@pytest.mark.parametrize("scale", ["readable", "time", "events"])
def test_every_scale_keeps_the_order_of_instants(scale):
    from edakit.plot.clock import axis

    times = [0, 1, 2, 500, 501, 1000]
    places = [axis(times, scale, 700)(ns) for ns in times]
    assert places == sorted(places)
    assert places[0] == 0
    assert places[-1] == pytest.approx(700)
    assert size(plot.timeline(run(shop), scale=scale).png())[0] == 900


def test_pictures_of_a_panel_can_share_one_time():
    from edakit.plot.spacetime import _lanes, _Sheet

    scenes = [scene(run(shop).trace)]
    short = _Sheet(scenes, _lanes(scenes), "readable", [""], 0)
    long = _Sheet(scenes, _lanes(scenes), "readable", [""], 3_000_000_000)
    end = scenes[0].instants()[-1]
    assert short.x(end) == pytest.approx(874)
    assert long.x(end) < 400
    assert size(plot.timeline(run(shop), until=3).png())[0] == 900


def test_what_a_timeline_cannot_do_is_said():
    lab = run(shop)
    for wrong, message in [
        (plot.timeline, "needs a lab or a trace"),
        (lambda: plot.timeline(lab, scale="log"), "scale is 'log'"),
        (lambda: plot.timeline(lab, mark="paid"), "no moment 'paid' to mark"),
    ]:
        with pytest.raises(ArgumentError, match=message):
            wrong()


def test_a_topology_shows_who_can_hear_whom_before_anything_has_happened():
    lab = Lab()
    service = Service("payment")

    @service.on("order.*")
    async def charge(order, ctx):
        return

    lab.deploy(service, on=lab.broker("shop", like="rabbitmq"), db=lab.database("ledger"))
    assert str(plot.topology(lab)).splitlines() == [
        "broker    shop", "          -> payment  order.*", "service   payment", "          -> ledger", "database  ledger",
    ]  # fmt: skip


def test_a_topology_of_a_trace_shows_what_was_sent():
    lab = run(shop, instances=2, orders=2)
    assert str(plot.topology(lab.trace)) == str(plot.topology(lab))
    assert "notification  (new)" in str(plot.topology(lab, highlight=["notification"]))
    with pytest.raises(ArgumentError, match="no node 'fraud' to highlight; the map has: web, shop"):
        plot.topology(lab, highlight=["fraud"])


def test_a_server_and_its_service_are_one_box():
    assert str(plot.topology(run(asking))).splitlines() == [
        "client    ada", "          -> web  buy", "server    web", "          -> payment  charge", "server    payment",
    ]  # fmt: skip


def test_partitions_show_every_record_and_how_far_each_group_is():
    text = str(plot.partitions(run(streaming, until=30)))
    assert text.count("records:") == 2
    assert text.count("behind 0") == 4
    with pytest.raises(ArgumentError, match="no topic 'payments' in this trace; it has: orders"):
        plot.partitions(run(streaming, until=1), "payments")


def test_lag_is_drawn_by_group_or_by_partition():
    lab = run(streaming, until=0.4)
    assert "billing" in str(plot.lag(lab))
    assert "orders/1" in str(plot.lag(lab, "billing"))


def test_a_saga_that_fails_shows_what_was_taken_back():
    text = str(plot.saga(run(checkout)))
    assert text.splitlines()[0] in ("3 runs: 2 completed, 1 compensated", "3 runs: 1 compensated, 2 completed")
    assert "compensated: reserve done, charge failed, reserve undone" in text


def test_many_sagas_show_those_first_that_did_not_complete():
    trace = Trace()
    for n in range(100):
        trace.add(n, "saga", "checkout", "checkout", None, 0, 0, f"begun {n}")
    for n in range(99):
        trace.add(200, "saga", "checkout", "checkout", None, 0, 0, f"completed {n}")
    lines = str(plot.saga(trace)).splitlines()
    assert lines[0] == "100 runs: 99 completed, 1 running"
    assert lines[1].startswith("99  running")
    assert len(lines) == 15


def test_sets_count_every_region_and_name_what_is_wrong():
    text = str(plot.sets({"mailed": A, "paid": B}, {"false mail": A - B, "no mail": B - A}))
    assert text.splitlines() == ["mailed: 10, paid: 7", "keys  in", "   5  mailed & paid", "   5  mailed", "   2  paid",
                                 "wrong, false mail: 5", "wrong, no mail: 2"]  # fmt: skip


@pytest.mark.parametrize(
    "groups",
    [{"a": A, "b": A}, {"a": A, "b": Keys(range(20, 25))}, {"a": A, "b": Keys()}, {"a": A}, {"a": A, "b": B, "c": A & B}],
)
def test_sets_may_be_equal_apart_empty_or_within_one_another(groups):
    assert size(plot.sets(groups).png())[0] == 900


def test_sets_that_cannot_be_drawn_say_so():
    with pytest.raises(EmptyTrace, match="no set has a key"):
        plot.sets({"a": Keys(), "b": Keys()})
    with pytest.raises(ArgumentError, match="one to three sets, not 4"):
        plot.sets(dict.fromkeys("abcd", A))


def test_curves_without_values_say_so():
    for wrong in (lambda: plot.cdf({}), lambda: plot.cdf({"a": []}), lambda: plot.lines({}), lambda: plot.lines({"a": {}})):
        with pytest.raises(EmptyTrace):
            wrong()
    with pytest.raises(ArgumentError, match="shade is"):
        plot.lines({"a": {1: 1}}, shade=(2, 1))


def test_a_line_of_many_points_tells_where_it_changes():
    picture = plot.lines({"charged": {n / 100: 2 if 20 < n <= 30 else 1 for n in range(41)}}, "crash at (s)", steps=True)
    assert [line.split() for line in str(picture).splitlines()[2:]] == [
        ["0.00", "1"],
        ["0.21", "2"],
        ["0.31", "1"],
        ["0.40", "1"],
    ]


def test_counts_are_drawn_from_zero_with_whole_ticks():
    counts = plot.lines({"charged": {0.1: 1, 0.2: 2}}).axes[0]
    assert counts.get_ylim()[0] == 0
    assert all(tick == int(tick) for tick in counts.get_yticks())
    shares = plot.lines({"share": {0.1: 0.91, 0.2: 0.95}}).axes[0]
    assert shares.get_ylim()[0] > 0.8


def test_the_course_leads_from_the_first_notebook_to_the_last():
    lines = str(plot.course()).splitlines()
    assert len(lines) == 19
    assert lines[1].startswith("00  start here")


@pytest.mark.parametrize("name", ["$x_{^$", "a\x1b[31m\nb", "<script>", "ß" * 300, "\u202e" + "x", "", "日本"])
def test_names_from_events_are_names_and_nothing_else(name):
    trace = Trace()
    event = Event(f"{name}.1", name, name, None, name, 0, None, f"{name}.1")
    trace.add(1_000_000, "publish", "shop", name or "web", event, 0, 0, "queue")
    trace.add(1_000_000, "deliver", "shop/queue", f"{name}1", event, 1)
    trace.add(9_000_000, "handle", "shop/queue", f"{name}1", event, 1, 2_000_000)
    trace.add(9_000_000, "log", "shop/queue", f"{name}1", event, 0, 0, name)
    trace.add(9_000_000, "append", "topic/0", "web", event)
    trace.add(9_000_000, "commit", "topic/0", "web", None, 1, 0, name or "group")
    trace.add(9_000_000, "step", "saga", "web", None, 1, 2_000_000, f"done {name.split()[0] if name.split() else 'x'} {name}")
    for draw in (plot.timeline, plot.topology, plot.partitions, plot.saga, plot.lag, plot.backlog):
        picture = draw(trace)
        picture.png()
        assert all(char.isprintable() or char == "\n" for char in picture.twin)
        assert max(map(len, picture.twin.splitlines())) < 160
    plot.cdf({name: [1.0, 2.0]}).png()
    plot.sets({name: A}, {name: A}).png()


def test_a_slice_of_a_trace_can_be_drawn_too():
    lab = run(shop, orders=3)
    assert "order-43.placed.1" in str(plot.timeline(lab.trace.of("order-43.placed.1")))
    assert str(plot.timeline(lab.trace[5:9]))


def test_a_story_with_25_messages_keeps_its_labels_apart():
    from edakit.plot.canvas import apart
    from edakit.plot.spacetime import _lanes, _Sheet

    scenes = [scene(run(shop, orders=4).trace)]
    assert 25 <= len(scenes[0].arrows) <= 60
    sheet = _Sheet(scenes, _lanes(scenes), "readable", [""], 0)
    sheet.draw(0, scenes[0], None, "")
    labels = [box for box in sheet.taken if box[3] - box[1] == 12 and box[2] - box[0] > 20]
    assert len(labels) >= 6
    assert all(apart(one, other) for n, one in enumerate(labels) for other in labels[:n])


def test_measure_and_plot_agree_on_the_backlog():
    lab = run(shop, orders=5)
    top = max(depth for _, depth in measure.backlog(lab.trace, "shop/payment"))
    assert f"shop/payment          {top}" in str(plot.backlog(lab))
