"""What an acknowledgement is worth: how many copies have the order, is it on disk, and what happens when the power goes."""

from typing import Any

from edakit import Crash, Lab, PowerCut, Uniform, measure
from edakit.chance import Duration
from edakit.stream.producer import Producer

POLICIES: dict[str, dict[str, Any]] = {  # flush: seconds between two syncs of a machine; None: never; 0: before the ack
    "memory": {"replicas": 1, "flush": None},
    "one-copy": {"replicas": 1, "flush": 1},
    "three-copies": {"replicas": 3, "min_insync": 2, "flush": 1},
    "synced-first": {"replicas": 3, "min_insync": 2, "flush": 0},
}
WHEN = Uniform(1.5, 2.5)
LIGHTS_OUT = PowerCut("orders", at=WHEN)
LEADER_DIES = Crash("orders", at=WHEN)
FOLLOWERS_GONE = Crash("orders.2", at=0.5) + Crash("orders.3", at=0.5)  # what is left is in sync with itself


def kept(
    lab: Lab,
    policy: str = "three-copies",
    acks: Any = "all",
    count: int = 260,
    lag: Duration = 0.002,
    alone: bool = False,
    **options: Any,
) -> None:
    """`web` sends 100 orders a second. policy: one of POLICIES, which `options` change; lag: seconds that a follower is behind.

    alone: after half a second the two followers are gone.
    """
    orders = lab.stream("orders", replication_lag=lag, **{**POLICIES[policy], **options})
    if alone:
        lab.faults(FOLLOWERS_GONE)
    if acks != "all":
        orders.producer("web", Producer(acks=acks, idempotence=False, linger=0))
    lab.workload(orders, "order.placed", every=0.01, count=count, key="order", source="web")


def promises(lab: Lab) -> dict[str, float]:
    """Orders acknowledged, those of them that nobody can read any more, orders refused, milliseconds until an ack."""
    acks = lab.trace.where("confirm")
    waits = [1000 * (row.time - row.began) for row in acks]
    return {
        "acked": len(acks),
        "acked, gone": measure.lost_acked(lab.trace),
        "refused": len(lab.trace.where("decline")),
        "ack after ms": round(sum(waits) / max(1, len(waits)), 3),
    }
