"""A client that says some things twice: it had no answer, and so it sends again what had arrived."""

from typing import Any

from edakit import Lab

TOTAL = 9.90  # of every order


def send(
    lab: Lab, home: Any, type: str, *, count: int, every: float, share: float = 0, gap: float = 0, accounts: int | None = None
) -> None:
    """Publish so many orders, `every` so many seconds on average; a share (0 to 1) of them once more, after `gap` seconds on average.

    The second is a new event with the same number in its data. The key is that number or, with `accounts`, one of so many.
    """
    dice, now = lab.random("again"), 0.0
    for n in range(1, count + 1):
        now += dice.expovariate(1 / every)
        key = n if accounts is None else f"account-{1 + dice.randrange(accounts)}"
        times = [now]
        if dice.random() < share:
            times.append(now + (dice.expovariate(1 / gap) if gap else 0))
        for time in times:
            lab.at(time, _publish, home, type, {"order": n, "total": TOTAL}, key)


def _publish(home: Any, type: str, data: dict[str, Any], key: str | int) -> None:
    home.publish(type, data, key=key, source="orders")
