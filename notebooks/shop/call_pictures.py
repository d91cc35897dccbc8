"""Pictures of notebook 01."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from edakit import Lab, plot, run
from edakit.evidence import Sweep
from edakit.sim.scenario import Build
from shop import calls, charges, limits


def waits(styles: Mapping[str, Build], **day: Any) -> plot.Picture:
    """How long Ada waits for an answer and for her mail, on one day of each style."""
    labs = {name: run(build, seed=42, **day) for name, build in styles.items()}
    whats = {"answer": calls.answers, "mail": calls.mails}
    return plot.cdf({f"{name}: {what}": seconds(lab) for name, lab in labs.items() for what, seconds in whats.items()})


def polled(lab: Lab) -> plot.Picture:
    """Answers and mails of a day, beside the mails of a day without polling."""
    return plot.cdf({"answer": calls.answers(lab), "mail": calls.mails(lab), "mail, 4 workers, no polling": _told_at_once()})


@cache
def _told_at_once() -> list[float]:
    return calls.mails(run(calls.by_event, seed=42, orders=100, steady=False))


def backlog(lab: Lab) -> plot.Picture:
    """Orders that wait for payment; the outage is shaded."""
    outage = (charges.DOWN, charges.UP)
    return plot.lines(
        {"orders that wait for payment": charges.waiting(lab)}, "virtual seconds", "orders", steps=True, shade=outage
    )


def availability(up: Mapping[int, Sweep]) -> plot.Picture:
    """The share of orders answered, by the number of services that take part."""
    numbers = range(1, 21)
    picture = plot.lines(
        {
            "called, each up 99.9 %": {n: 0.999**n for n in numbers},
            "called, measured": {n: each.spread("answered")[0] for n, each in up.items()},
            "told: web and a broker": dict.fromkeys(numbers, 0.999**2),
        },
        "services that take part",
        "share of orders answered",
    )
    picture.axes[0].set_xticks([1, 2, 3, 5, 10, 15, 20])
    return picture


def acks(policies: Iterable[str]) -> plot.Picture:
    """How long `web` waits for its ack, one run for each policy."""
    runs = {each: run(limits.replicated, seed=42, acks=each) for each in policies}
    return plot.cdf({each: limits.held_up(lab) for each, lab in runs.items()}, "seconds that web waits")


def door(lab: Lab) -> plot.Picture:
    """How long an order waits until `web` takes it; while the broker is out of reach it is shaded."""
    away = (limits.AWAY.at, limits.AWAY.until or 0)
    waits = {round(came, 3): round(waited, 3) for came, waited in limits.at_the_door(lab).items()}
    picture = plot.lines(
        {"wait at the door": waits}, "an order comes (virtual seconds)", "seconds until web takes it", shade=away
    )
    picture.axes[0].set_ylim(-1, 31)
    return picture


def scaling(partitions: int = 4) -> plot.Picture:
    """Records a second by the number of consumers, one run each."""
    numbers = range(1, 13)
    runs = {n: run(limits.grouped, seed=42, until=10, consumers=n, partitions=partitions) for n in numbers}
    measured = {n: limits.throughput(lab)["per second"] for n, lab in runs.items()}
    wished = {n: 10.0 * n for n in numbers}
    return plot.lines(
        {f"measured, {partitions} partitions": measured, "ten for each consumer": wished}, "consumers", "records a second"
    )


def knee(lab: Lab) -> plot.Picture:
    """How long each event waits for the worker and is worked on, beside a worker that is busy half of the time."""
    return plot.cdf({"from event to handled": limits.delays(lab), "at load 0.5": _half_busy()}, "milliseconds", log=False)


@cache
def _half_busy() -> list[float]:
    return limits.delays(run(limits.busy, seed=42, load=0.5))
