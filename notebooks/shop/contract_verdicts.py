"""What the study page says of three brokers, and what we make of it: the evidence table and the predictions of notebook 07."""

from collections.abc import Mapping, Sequence
from typing import Any

from edakit import run
from edakit.evidence import Sweep
from shop.audit import typical
from shop.contracts import CONTRACTS, TASKS, asked, holds
from shop.finishing import one_partition, out_of_order
from shop.growing import crossing, delay_at_end, quota
from shop.keeping import late_reader, seen
from shop.verdicts import Claim

COMPARED = {
    "Q7.1": Claim(
        "Kafka streams, RabbitMQ is pub-sub, EventBridge a managed bus",
        "imprecise: each is several contracts",
        "every local broker: the probe for a second reader",
    ),
    "Q7.2": Claim("Kafka stores events for replay", "right, within its retention", "Kafka 4.4 with a short `retention.ms`"),
    "Q7.3": Claim("RabbitMQ: transient messages", "wrong: two switches, and both have an on", "RabbitMQ: stop, start, count"),
    "Q7.4": Claim("EventBridge: no persistence", "wrong: archive and replay", "moto: archive and replay"),
    "Q7.5": Claim(
        "Kafka: order guaranteed in a partition",
        "imprecise: of reading, not of finishing; more conditions in notebook 05",
        "Kafka 4.4, idempotence off, a cut link",
    ),
    "Q7.6": Claim(
        "RabbitMQ: order not guaranteed",
        "wrong: of one queue to one active consumer it is",
        "RabbitMQ with `x-single-active-consumer`",
    ),
    "Q7.7": Claim("EventBridge: no strict order", "depends on which of the two buses", "no local broker has the new one"),
    "C7.4": Claim(
        "Kafka to stream, RabbitMQ for simple messages", "imprecise, and out of date on both sides", "the same probes on both"
    ),
    "Q7.8": Claim(
        "partitions; scales horizontally; AWS infrastructure",
        "imprecise: partitions, queues, quotas cap them",
        "RabbitMQ: one queue on one core and on two",
    ),
    "Q7.9": Claim("one use case each", "imprecise: they overlap; ask for needs and for prices", "the prices of the day"),
    "S.2": Claim("choose by durability and replay", "imprecise: replay yes, durability separates nothing", "none needed"),
}


def measured(
    left: Mapping[Any, int],
    receipts: Sequence[Mapping[str, Any]],
    replays: Sweep,
    by_count: Mapping[Any, Sweep],
    orders: Mapping[str, Sweep],
    found: Mapping[tuple[str, str], str],
    lines: Mapping[str, Mapping[int, float]],
    misses: Sequence[int],
) -> dict[str, str]:
    """What notebook 07 measured for each claim, from its runs and its sweeps."""
    again = [name for name in CONTRACTS if asked("replay", name) == "held"]
    at_once = "/".join(str(out_of_order(run(one_partition, seed=42, at_once=n))["inverted"]) for n in (1, 4))
    *crowds, one = (typical(each, "inverted") for each in by_count.values())
    days = [seen(run(late_reader, seed=42, after_days=after)) for after in (1, 8)]
    fits = [sum(holds(name, task.needs) for name in CONTRACTS) for task in TASKS]
    held = {name: [found[each] for each in found if each[0] == name].count("held") for name, _ in found}
    return {
        "Q7.1": f"replay held by {len(again)} of {len(CONTRACTS)} contracts: {'; '.join(again)}",
        "Q7.2": f"a reader late by 1 day sees {days[0]}, by 8 days {days[1]}",
        "Q7.3": f"left {'/'.join(map(str, left.values()))}; a crash amid sending leaves {receipts[0]['in the queue']}, "
        f"with receipts {receipts[1]['in the queue']}",
        "Q7.4": f"back {typical(replays, 'back')} of 120, inverted {typical(replays, 'inverted')}, "
        f"across minutes {typical(replays, 'across minutes')}",
        "Q7.5": f"one/four handlers at once: {at_once} of 249 inverted",
        "Q7.6": f"1/2/4/8 consumers: {' / '.join(map(str, crowds))} of 249; one active {one}",
        "Q7.7": f"FIFO holds {typical(orders['fifo'], 'held')}, inverts {typical(orders['fifo'], 'inverted in a group')}; "
        f"unordered holds {typical(orders['unordered'], 'held')}, inverts {typical(orders['unordered'], 'inverted in a group')}",
        "C7.4": f"of five needs: {', '.join(f'{name} {count}' for name, count in held.items())}",
        "Q7.8": "; ".join(f"{name} {'/'.join(f'{value:g}' for value in each.values())}" for name, each in lines.items())
        + f"; quota: {delay_at_end(run(quota, seed=42))} s behind",
        "Q7.9": f"contracts that fit a task: {min(fits)} to {max(fits)} of {len(CONTRACTS)}; prices cross at {crossing():.0f} events/s",
        "S.2": f"of ten tasks the rule misses {misses[0]}, by replay alone {misses[1]}, by all needs {misses[2]}",
    }


WHY: dict[str, dict[object, str]] = {  # what would have to be so for a wrong prediction, for each question
    "late": {
        "no": "it would have to be a RabbitMQ before 3.9",
        "with a durable queue": "it would have to be bound before the order came: one made later gets no copy, durable or not",
    },
    "left": {
        "0": "that is three of four cells",
        "1,000": "that is one of four cells: both switches would have to be on",
    },
    "inverted": {
        60: "two would have to be at work",
        125: "chance alone would have to order them",
    },
    "fifo": {
        "everybody": "one lane would have to carry all",
        "nobody": "the subscriber would have to be unordered, and ship an old change after a newer one",
    },
}
