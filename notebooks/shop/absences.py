"""Nobody at home, and the broker restarts; a reader that is away for a while. Notebook 02, scenes 4 and 6."""

from typing import Any

from edakit import Lab
from shop.readers import listener

STORES = ("durable, persistent", "durable, transient", "not durable, persistent", "redis-pubsub", "stream")


def nobody_home(lab: Lab, store: str = "durable, persistent", orders: int = 1_000) -> None:
    """A hundred orders a second while `payment` is off. At 15 s the broker is restarted, at 20 s payment comes.

    At 40 s it starts again and asks for everything once more: on a stream by seeking, elsewhere by connecting.
    """
    payment = listener("payment")
    if store == "redis-pubsub":
        shop: Any = lab.bus("shop", like=store)
    elif store == "stream":
        shop = lab.stream("shop", like="kafka", start="earliest", replicas=1)
    else:
        shop = lab.broker("shop", like="rabbitmq")
        shop.queue("payment", durable=store.startswith("durable"))
    if store != "redis-pubsub":  # which has nothing to lose
        lab.crash("shop", at=15, restart_after=2)
    options = {"persistent": False} if store.endswith("transient") else {}

    def place(n: int) -> None:
        shop.publish("order.placed", {"order": n}, key=n, **options)

    def again() -> None:
        lab.crash("payment")
        lab.restart("payment")
        if store == "stream":
            shop.seek("payment", to="earliest")

    for n in range(orders):
        lab.at(0.01 * n, place, n + 1)
    lab.at(20, lambda: lab.deploy(payment, on=shop))
    lab.at(40, again)


def read_twice(lab: Lab) -> dict[str, int]:
    """Orders that payment got at first, and when it asked again."""
    rows = lab.trace.where(["deliver", "fetch"], who="payment")
    return {"got": sum(row.time < 40 for row in rows), "got again": sum(row.time >= 40 for row in rows)}


def absent(lab: Lab, like: str = "rabbitmq", outage: int = 10, every: float = 0.1) -> None:
    """An order `every` so many seconds; `payment` is off for `outage` seconds, from second 5 on.

    like: "rabbitmq", "redis-pubsub", "sns-http" (payment is an HTTP endpoint), "sns" (a queue before it).
    """
    shop: Any = lab.broker("shop", like=like) if like == "rabbitmq" else lab.bus("shop", like=like)
    lab.deploy(listener("payment"), on=shop)
    lab.crash("payment", at=5, restart_after=outage)
    lab.workload(shop, "order.placed", every=every, count=int((10 + outage) / every), key="order")
