"""The rules of a message broker: `exchange` and `headers` decide which queues a message reaches, `queue` who gets it
and what an ack does, `declared` what the arguments of a queue add.
"""

from edakit.broker.declared import Arguments, Death, Declared, is_death_cycle, message_properties, record_death
from edakit.broker.exchange import Exchange
from edakit.broker.headers import headers_match
from edakit.broker.queue import Consumer, Delivery, Queue
from edakit.topics import topic_matches

__all__ = [
    "Arguments",
    "Consumer",
    "Death",
    "Declared",
    "Delivery",
    "Exchange",
    "Queue",
    "headers_match",
    "is_death_cycle",
    "message_properties",
    "record_death",
    "topic_matches",
]
