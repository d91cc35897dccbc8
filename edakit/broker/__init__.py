"""The rules of a message broker: `exchange` and `headers` decide which queues a message reaches, `queue` who gets it
and what an ack does.
"""

from edakit.broker.exchange import Exchange
from edakit.broker.headers import headers_match
from edakit.broker.queue import Consumer, Delivery, Queue
from edakit.topics import topic_matches

__all__ = ["Consumer", "Delivery", "Exchange", "Queue", "headers_match", "topic_matches"]
