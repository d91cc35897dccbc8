"""What notebook 01 has found about each claim, put into words: every number comes from a run or a sweep that is passed in."""

from collections.abc import Mapping
from typing import Any

from edakit import Lab
from edakit.evidence import Sweep
from shop import calls, meaning

Sweeps = Mapping[Any, Sweep]


def mean(sweep: Sweep, figure: str) -> float:
    """The mean of a figure over all seeds."""
    return sweep.spread(figure)[0]


def early_answer(waits: Sweeps, late: Sweep) -> str:
    """C1.4: what is quick, and what it is worth."""
    told, called = waits["told"], waits["called"]
    return (
        f"answer {mean(told, 'answer p50'):.3f} s instead of {mean(called, 'answer p50'):.3f} s, mail {mean(told, 'mail p50'):.3f} s "
        f"and {mean(called, 'mail p50'):.3f} s; of 200 orders {mean(late, 'yes, but failed later'):.0f} were accepted and failed later"
    )


def awaited(waiting: Lab, told: Lab) -> str:
    """Q1.4: who needs the outcome waits."""
    return f"answer after {calls.answers(waiting)[0]:.3f} s when the outcome is awaited, {calls.answers(told)[0]:.3f} s when not"


def two_axes(said_yes: Mapping[tuple[str, str], float]) -> str:
    """C2.2: who says yes in the outage."""
    straight = {case: share for case, share in said_yes.items() if case[1] in ("call", "event")}
    return "yes in the outage: " + ", ".join(f"{io} and {style} {share:.0f} %" for (io, style), share in straight.items())


def outage(refused: Sweep, drained: Sweep) -> str:
    """C2.3: failed or late."""
    return f"{mean(refused, 'failed'):.0f} failed or {mean(drained, 'failed'):.0f}; {mean(drained, 'drain s'):.0f} s to drain"


def chains(up: Sweeps, heard: Sweep) -> str:
    """C2.1: availability, and how often sensitivity decides as we do."""
    agree = sum(op.sensitive == (meaning.choose(op) == "call") for op in meaning.EIGHT)
    return (
        f"ten called: {mean(up[10], 'answered'):.3f} answered; ten told: {mean(heard, 'answered'):.3f}; "
        f"sensitivity decides {agree} of 8 operations as the other rule does"
    )


def double(replies: Sweep, keyed: Sweep) -> str:
    """C2.4: what retries do."""
    return f"{per_10_000(replies):.0f} double charges per 10,000 orders; with a key {per_10_000(keyed):.0f}"


def per_10_000(replies: Sweep, orders: int = 150) -> float:
    """Double charges in 10,000 orders, from sweeps of so many."""
    return mean(replies, "double charges") / orders * 10_000


def acked(acks: Sweeps, blocked: Sweep) -> str:
    """C1.1: what the producer waits for."""
    return (
        f"median ack wait {mean(acks['leader'], 'p50 ms'):.0f} ms (leader) to {mean(acks['all'], 'p50 ms'):.0f} ms (all); "
        f"buffer full: blocked {mean(blocked, 'blocked s'):.0f} s"
    )


def facts(kinds: list[dict[str, Any]]) -> str:
    """C0.2: events that change nothing, updates that are no events."""
    events = [row for row in kinds if row["kind"] == "event"]
    still = [row["message"] for row in events if not row["changes state"]]
    update = next(row for row in kinds if "update" in row["message"])
    return f"{len(still)} of {len(events)} events change nothing ({still[0]}); {update['message']} is a {update['kind']}"


def two_kinds(where: Sweeps) -> str:
    """C0.1: the source is down."""
    asked, inside = where["asked"], where["inside"]
    return (
        f"source down: {mean(asked, 'no address'):.0f} of {mean(asked, 'placed in outage'):.0f} lookups failed (notification) or "
        f"{mean(inside, 'no address'):.0f} (state transfer); "
        f"old addresses {mean(asked, 'old address'):.0f} or {mean(inside, 'old address'):.1f}"
    )


def back_edges(asking: Lab, carrying: Lab) -> str:
    """Q1.2: calls that are left."""
    left = [", ".join(meaning.call_edges(lab)) or "none" for lab in (asking, carrying)]
    return f"calls left: {left[0]} (notification), {left[1]} (state transfer)"


def rename(renames: Mapping[str, Mapping[str, Any]]) -> str:
    """C1.2: the same readers break."""
    called, told = renames["call"], renames["event"]
    hours = told["last after s"] / 3600
    return f"a renamed field breaks {called['broken']} of 3 called, {told['broken']} of 3 told; the last is found after {hours:.0f} h"


def lids(groups: Sweeps, hot: Sweep) -> str:
    """C1.3: where scaling ends."""
    four, eight = (mean(groups[n], "per second") for n in (4, 8))
    return f"{four:.0f}/s with 4 consumers, {eight:.0f}/s with 8; hottest of 48 partitions {mean(hot, 'times the mean'):.1f} times the mean"


def fan_out(copies: Mapping[int, int]) -> str:
    """Q1.3: what a reader costs."""
    return f"{max(copies)} readers take {copies[max(copies)] / copies[1]:.0f} times the bytes of one"


def knee(busy: Sweeps, linger: Sweeps) -> str:
    """C1.5: load and batching."""
    added = mean(linger[100], "median wait ms") - mean(linger[0], "median wait ms")
    low, high = (mean(busy[percent], "p99 ms") for percent in (50, 90))
    return f"p99 {low:.0f} ms at load 0.5, {high:.0f} ms at 0.9; a linger of 100 ms adds {added:.0f} ms"


def owner(silent: Sweep, spoken: Sweep) -> str:
    """C1.6: who notices."""
    return (
        f"of 100 orders {mean(silent, 'stuck'):.1f} stuck and {mean(silent, 'alarms'):.0f} alarms; with an owner "
        f"{mean(spoken, 'stuck'):.0f} stuck, {mean(spoken, 'named'):.1f} named, {mean(spoken, 'named late'):.0f} of these late"
    )


def heard(lab: Lab) -> str:
    """What Ada is told in the end."""
    note = lab.trace.where("reply", who="ada")[0].note
    return f"an error, {note}" if note else "accepted"


def in_process(buses: Mapping[str, Lab]) -> str:
    """Q1.1: where an error goes."""
    return "payment fails: " + ", ".join(f"Ada hears {heard(lab)} ({like})" for like, lab in buses.items())


def pipes(by_http: float, by_queue: float) -> str:
    """C2.5: when Ada's own call ends."""
    return f"Ada's call ends after {by_http:.3f} s over HTTP with a webhook, after {by_queue:.3f} s over a queue"


WHY = {  # for each prediction: what would have had to be true for a wrong option
    "mail": {
        "half": "the three would have to work at once; this chain is still a chain",
        "twice": "the broker would have to work as long as the services do; its hops take milliseconds",
    },
    "yes": {
        "asyncio": "how you wait would have to decide who must be alive",
        "any queue": "the caller would have to be content without an answer",
    },
    "chain": {"99.9 %": "one of the ten would have to be enough", "98.1 %": "that takes a chain of twenty"},
    "twice": {"none": "a timeout would have to mean: not done", "about 1": "it would take two losses in a row; one is enough"},
    "slow": {"leader": "the leader would have to wait for others", "majority": "two of the three would have to be slow"},
    "eight": {80: "a partition would need two readers", 100: "ten a second would have to be no limit"},
}


def mail_time(waits: Sweeps) -> str:
    """The option of the first prediction that the sweeps bear out."""
    ratio = mean(waits["told"], "mail p50") / mean(waits["called"], "mail p50")
    return "the same within 5 %" if abs(ratio - 1) < 0.05 else "half" if ratio < 1 else "twice"


def who_says_yes(said_yes: Mapping[tuple[str, str], float]) -> str:
    """The option of the second that the grid bears out."""
    says = {case for case, share in said_yes.items() if share > 50}
    if {style for _, style in says} == {"event"}:
        return "events"
    return "asyncio" if {io for io, _ in says} == {"asyncio"} else "any queue"


def up_share(up: Sweeps) -> str:
    """The option of the third: nearest to what ten services in a chain had."""
    return f"{_nearest(100 * mean(up[10], 'answered'), (99.9, 99.0, 98.1))} %"


def charged_twice(replies: Sweep) -> str:
    """The option of the fourth, nearest on a scale of powers of ten."""
    found = per_10_000(replies)
    return "about 100" if found > 10 else "about 1" if found > 0 else "none"


def spoiled(acks: Sweeps) -> str:
    """The option of the fifth: who waits longest."""
    return str(max(acks, key=lambda each: mean(acks[each], "p50 ms")))


def by_eight(groups: Sweeps) -> int:
    """The option of the sixth."""
    return int(_nearest(mean(groups[8], "per second"), (80, 40, 100)))


def _nearest(value: float, options: tuple[float, ...]) -> float:
    return min(options, key=lambda option: abs(option - value))
