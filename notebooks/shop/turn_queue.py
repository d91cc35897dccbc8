"""A queue that gives its messages to one of several consumers, and to the next one only when that one is gone."""

from edakit import Lab, Service
from shop.turns import customers, note_down, publish


def one_queue(lab: Lab, single_active: bool = True, instances: int = 4, count: int = 100) -> None:
    """Copies of analytics on one queue. single_active: the others stand by, in place of taking their turn."""
    shop, analytics = lab.broker("shop", like="rabbitmq"), Service("analytics")
    shop.queue("analytics", single_active_consumer=single_active)
    analytics.on("#")(note_down)
    lab.deploy(analytics, on=shop, instances=instances, prefetch=1)
    customers(lab, lambda *event: publish(shop, *event), count)
