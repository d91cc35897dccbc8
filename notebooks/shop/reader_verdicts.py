"""What notebook 02 has found about each claim, and what the study page says of it. Every number comes from a run that is passed in."""

from collections.abc import Mapping, Sequence
from typing import Any

from edakit import Lab, measure
from edakit.evidence import Sweep
from shop import absences, eight_orders, readers, routes, ticker
from shop.verdicts import Claim

PUBSUB_AND_STREAMING = {
    "C3.1": Claim(
        "two primary models", "imprecise: three axes, and a third model, the work queue", "the same probes on live brokers"
    ),
    "C3.2": Claim(
        "each subscriber receives the event once",
        "wrong: one copy each, delivered 0, 1, 2 times",
        "RabbitMQ: kill before the ack",
    ),
    "C3.3": Claim("pub-sub: RabbitMQ, SNS", "imprecise: SNS yes, RabbitMQ routes in many ways", "RabbitMQ with `mandatory`"),
    "C3.4": Claim("persistent log, own pace, replay", "right, within retention", "Kafka with a short `retention.ms`"),
    "C3.5": Claim("streaming: Kafka, Kinesis", "right, and not only these", "the replay probe on live systems"),
    "Q2.1": Claim(
        "pub-sub: one-to-many; streaming: stored, replayed", "imprecise: not opposites", "RabbitMQ and Kafka, two readers"
    ),
    "Q2.2": Claim("pub-sub: once consumed, gone", "wrong as a rule: kept until acked", "RabbitMQ restart, Redis"),
    "Q2.3": Claim(
        "pub-sub no order, streaming strict order", "wrong: order belongs to the path", "RabbitMQ and Kafka, four workers"
    ),
    "Q2.4": Claim("RabbitMQ, SNS, Redis in one row", "imprecise: three contracts", "Redis and RabbitMQ; SNS on AWS only"),
    "Q2.5": Claim("pub-sub when only the latest counts", "wrong: that is conflation", "a compacted topic, MQTT retained"),
    "Q2.6": Claim("streaming for history and replay", "right, if handlers are replay-safe", "Kafka seek"),
}
WHY: dict[str, dict[Any, str]] = {  # for each prediction: what would have had to be true for a wrong option
    "fraud": {
        "5 and 5": "a group would have to begin at now; it begins where you say",
        "10 and 10": "a queue would have to be filled backwards; it exists from its first binding on",
        "0 and 10": "the queue would have to come too late for every order",
    },
    "lost": {
        0: "the log would have to keep what nobody has read yet",
        900: "the log would have to keep nothing; it keeps 60 seconds",
    },
    "deliveries": {
        "1,000": "the three services would have to share one copy",
        "3,000": "no ack could ever get lost",
        "6,000": "the two instances of a service would have to get a copy each",
    },
    "log": {
        "copy, gone, message": "its records would have to go when they are acknowledged",
        "share, again, offset": "two readers would have to share one bookmark",
    },
    "needs": {
        "the queue": "a durable queue would have to write transient messages to disk",
        "the message": "a persistent message would have to outlive its queue",
        "either": "each would have to do the work of the other",
    },
    "mixed": {
        "1 queue, 1 worker": "one worker would have to overtake itself",
        "4 partitions, 4 workers": "two workers would have to read one partition",
    },
    "away": {0: "the tries would have to go on for ever", 900: "there would have to be no tries after the first"},
    "age": {"0.2 s": "the page would have to skip what is old", "5 s": "the queue would have to stop growing"},
    "replay": {
        "the sum": "reading twice would have to mean adding twice; it begins with an empty view",
        "the mails": "the view would have to know of the mails",
    },
    "star": {"notification": "a star would have to stand for two words", "nobody": "nobody would have to listen to everything"},
}


def newcomer(both: Mapping[str, Lab]) -> str:
    """What fraud has got, of the broker and of the stream."""
    return " and ".join(str(len(readers.got(lab, "fraud"))) for lab in both.values())


def log(newcomers: Mapping[str, Lab], away: Lab) -> str:
    """C3.4: what a newcomer reads, and what retention takes."""
    got = len(readers.got(newcomers["stream"], "fraud"))
    return f"a newcomer reads {got} of 10; off for 90 s at 60 s retention, {readers.missed(away)} of 900 are lost"


def both_many(both: Mapping[str, Lab], held: Mapping[str, Lab]) -> str:
    """Q2.1: both are one-to-many, both can be stored."""
    many = {kind: sum(len(readers.got(lab, name)) == 10 for name in readers.FIRST) for kind, lab in both.items()}
    kept = absences.read_twice(held[absences.STORES[0]])["got"]
    return (
        f"services with a copy of all: {many['broker']} (broker), {many['stream']} (log); a queue kept {kept:,} through a restart"
    )


def mean(sweep: Sweep, figure: str) -> measure.Spread:
    """A figure over all seeds: its mean, and the range that holds 90 % of them."""
    return measure.Spread(*sweep.spread(figure))


def deliveries(acked: Lab) -> str:
    """The option of the prediction nearest to how many deliveries there were."""
    found, options = len(acked.trace.where("deliver")), ("1,000", "3,000", "about 3,030", "6,000")
    return min(options, key=lambda option: abs(int(option.split()[-1].replace(",", "")) - found))


def once(twice: Sweep, never: Sweep) -> str:
    """C3.2: copies that came twice, or never."""
    clean = sum(row["more than once"] == 0 for row in twice)
    return (
        f"of {mean(twice, 'copies')} copies {mean(twice, 'more than once')} came more than once, {clean} of {len(twice):,} runs "
        f"were clean; at most once: {mean(never, 'never')} never came"
    )


def models(grid: Sequence[Mapping[str, str]]) -> str:
    """C3.1: how many kinds of system there are by three probes."""
    kinds = {tuple(value for name, value in row.items() if name != "system") for row in grid}
    return f"{len(grid)} systems, three probes: {len(kinds)} different answers"


def logs(grid: Sequence[Mapping[str, str]]) -> str:
    """C3.5: who gives yesterday again."""
    return "yesterday again: " + ", ".join(row["system"] for row in grid if row["yesterday"] == "again")


def survives(held: Mapping[str, Lab]) -> str:
    """Q2.2: what is there after the restart."""
    return "; ".join(f"{store}: {absences.read_twice(lab)['got']:,}" for store, lab in held.items() if store != "stream")


def switches(held: Mapping[str, Lab]) -> str:
    """The option of the prediction that the restart bears out."""
    got = {store: absences.read_twice(lab)["got"] > 0 for store, lab in held.items()}
    queue, message = got["durable, transient"], got["not durable, persistent"]
    return "either" if queue and message else "the queue" if queue else "the message" if message else "both together"


def mixed_up(paths: Mapping[str, Lab]) -> str:
    """The path, and there is one, on which events of one order are inverted."""
    (found,) = [path for path, lab in paths.items() if eight_orders.inversions(lab)["within an order %"] > 0]
    return found


def order(paths: Mapping[str, Sweep]) -> str:
    """Q2.3: inversions by path."""
    return "inverted % within an order (in all): " + "; ".join(
        f"{path} {mean(each, 'within an order %').mean:.0f} ({mean(each, 'all %').mean:.0f})" for path, each in paths.items()
    )


def contracts(lost: Mapping[tuple[str, int], int]) -> str:
    """Q2.4: what an absence costs."""
    return "lost of 100, of 900: " + ", ".join(
        f"{like} {lost[like, 10]}, {lost[like, 90]}" for like in dict.fromkeys(like for like, _ in lost)
    )


def latest(every: Mapping[str, Any], newest: Mapping[str, Any]) -> str:
    """Q2.5: how old the number on the screen is."""
    return f"after a minute {every['on screen, s old']:.0f} s old; conflated {newest['on screen, s old']:.1f} s"


def age(every: Lab) -> str:
    """The option of the prediction nearest to how old the number is."""
    old = ticker.shown(every)["on screen, s old"]
    return min(("0.2 s", "5 s", "57 s"), key=lambda option: abs(float(option.split()[0]) - old))


def differs(rows: Sequence[Mapping[str, Any]]) -> str:
    """The option of the prediction that the second readings bear out."""
    by = {row["handler"]: row for row in rows}
    if not by["sums"]["view equal"]:
        return "the sum"
    return "the mails" if by["reads the clock"]["view equal"] else "the clock's view, and the mails"


def by_star(topic: Lab) -> str:
    """Who got the key of three words."""
    got = routes.reached(topic)["order.placed.eu"]
    return "notification" if "notification" in got else "only analytics" if got else "nobody"


def again(rows: Sequence[Mapping[str, Any]]) -> str:
    """Q2.6: what a second reading does."""
    by = {row["handler"]: row for row in rows}
    return (
        f"view equal: {_yes(by['sums']['view equal'])}; with the clock in it: {_yes(by['reads the clock']['view equal'])}; "
        f"mails {by['sends mail']['mails after']:,} for {by['sends mail']['mails']:,} orders"
    )


def _yes(equal: bool) -> str:
    return "yes" if equal else "no"


def routing(labs: Mapping[str, Lab]) -> str:
    """C3.3: who gets what, by the kind of exchange."""
    reached = {kind: routes.reached(lab) for kind, lab in labs.items()}
    copies = ", ".join(f"{kind} {sum(map(len, each.values()))}" for kind, each in reached.items())
    return f"one broker, ten keys, copies: {copies}; direct drops {len(routes.nobody(labs['direct']))} without a word"
