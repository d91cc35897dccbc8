"""A service where it runs, and how: the choices of `lab.deploy`, checked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edakit.delivery import Retry
from edakit.errors import Mistake, WiringError, known
from edakit.saga import Saga
from edakit.service import Service
from edakit.sim.buses import Bus
from edakit.stream.transactions import ISOLATIONS
from edakit.units import nanoseconds

if TYPE_CHECKING:
    from edakit.sim.database import Database
    from edakit.sim.topic import Topic
    from edakit.sim.world import Home, Outlet, World


@dataclass
class Deployment:
    """What `lab.deploy` was told, with the defaults filled in."""

    lab: "World"
    service: Service
    home: "Home"
    outlet: "Outlet | None"
    prefetch: int = 1
    concurrency: int = 1
    group: str = ""
    db: "Database | None" = None
    retry: Retry | None = None
    delivery_limit: int | None = None
    dead_letter: bool | str = True
    on_error: str = "requeue"
    commit: str | float = "after"
    ack_every: int = 1
    filter: Any = None
    isolation: str = "read_uncommitted"
    saga: Saga | None = None
    retry_topics: Sequence[float] = ()
    letters: "Topic | None" = None  # on a stream: where to write what is given up

    @property
    def transactional(self) -> bool:
        """Whether what it publishes belongs to transactions."""
        producer = getattr(self.outlet, "producers", {}).get(self.service.name)
        return producer is not None and producer.transactional

    def begin(self, instances: int) -> None:
        """Start so many instances: payment, or payment.1, payment.2, ..."""
        name = self.service.name
        self.lab.deployments[name] = self
        try:
            for each in [name] if instances == 1 else [f"{name}.{n + 1}" for n in range(instances)]:
                self.lab.instances[each] = self.home.start(self, each)
        except Mistake:
            del self.lab.deployments[name]
            raise

    def __post_init__(self) -> None:
        for name in ("prefetch", "concurrency", "ack_every", "delivery_limit"):
            value = getattr(self, name)
            if not (isinstance(value, int) and value >= 1) and (name, value) != ("delivery_limit", None):
                raise WiringError(f"{name}={value!r}: 1 or more")
        if self.saga and not self.saga.steps:
            raise WiringError(f"saga {self.saga.name} has no steps: give it one, @{self.saga.name}.step()")
        once = self.home.kind == "server" or self.commit != "after" or getattr(self.home, "forgets", False)
        if self.saga and once:
            raise WiringError(
                f"saga {self.saga.name} is begun by an event that must come again after a crash, and {self.home.name} would bring it "
                "once: use a broker or a stream, or a bus with queues (sqs, sns), with commit='after'"
            )
        if self.retry is not None and not isinstance(self.retry, Retry):
            raise WiringError(f"retry={self.retry!r}: give a policy, such as Retry(3)")
        if self.db is not None and self.lab.databases.get(getattr(self.db, "name", "")) is not self.db:
            raise WiringError(f"db={self.db!r}: give a database made by this lab, such as lab.database('stock')")
        there: Any = self.lab.homes.get(getattr(self.outlet, "name", ""))
        if self.outlet is not None and (there is not self.outlet or getattr(there, "kind", "") == "server"):
            raise WiringError(f"publishes={self.outlet!r}: give a broker or stream made by this lab, such as lab.broker('shop')")
        if self.filter is not None and not isinstance(self.home, Bus):
            raise WiringError(
                f"filter={self.filter!r}: {self.home.name} does not look into events; only a bus does "
                "(a broker can be asked by headers: shop.queue(name, bind={...}) on a headers exchange)"
            )
        if self.ack_every > 1 and (self.home.kind != "broker" or self.commit != "after" or self.ack_every > self.prefetch):
            raise WiringError(
                f"ack_every={self.ack_every}: on a broker, at most prefetch={self.prefetch}, and with commit='after'"
            )
        if self.retry_topics:
            shared = getattr(self.home, "shared", True) if isinstance(self.retry_topics, (tuple, list)) else True
            if shared is True or (shared and self.group in shared) or self.saga or self.transactional:
                raise WiringError(
                    f"retry_topics={self.retry_topics!r}: a tuple of seconds, for a consumer group on a stream, without transactions. "
                    "Elsewhere what fails holds up nobody (and a queue can wait: shop.queue(name, message_ttl=5)); a saga has step(retry=)"
                )
        if self.on_error not in ("requeue", "reject"):
            raise WiringError(known("on_error", self.on_error, ["requeue", "reject"]))
        if self.isolation not in ISOLATIONS:
            raise WiringError(known("isolation", self.isolation, ISOLATIONS))
        if not isinstance(self.commit, str):
            nanoseconds(self.commit, "commit")
            if self.home.kind != "stream":
                raise WiringError(
                    f"commit={self.commit!r}: on {self.home.name} 'after' or 'before'; only a stream has auto-commit"
                )
        elif self.commit not in ("after", "before"):
            raise WiringError(f"commit={self.commit!r}: 'after', 'before' or seconds between auto-commits")
