"""What a person waits for, in milliseconds of processor time beside a limit: `python waits.py import` or `panel` prints one figure.

Each is measured in a process of its own: what has been imported or drawn once is quick the second time.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

from harness import ROUNDS, Result

WAITS = {
    "import": ("import edakit in a new process", 150.0),
    "panel": ("a turn of a knob: 1,000 messages run and drawn", 200.0),
}


def measure(rounds: int = ROUNDS) -> Iterator[Result]:
    """Each wait in so many new processes."""
    for what, (name, limit) in WAITS.items():
        command, quiet = [sys.executable, __file__, what], {**os.environ, "MPLBACKEND": "Agg"}
        times = sorted(float(subprocess.check_output(command, text=True, timeout=60, env=quiet)) for _ in range(rounds))
        ratios, middle = [limit / each for each in reversed(times)], statistics.median(times)
        low, high = ratios[min(1, rounds - 1)], ratios[max(-2, -rounds)]
        yield Result(name, "ms", middle, "limit", limit, limit / middle, 1.0, low, high)


def importing() -> float:
    """Seconds that the package takes until it is there."""
    start = time.process_time()
    import edakit

    assert edakit.__all__
    return time.process_time() - start


def turning() -> float:
    """Seconds from a knob to the new picture: the quickest of four, since the first draws with fonts not loaded yet."""
    from edakit import Service, panel

    def shop(lab: Any, instances: int = 1) -> None:
        payment = Service("payment")

        @payment.on("order.placed")
        async def charge(order: Any, ctx: Any) -> None:
            await ctx.sleep(0.2)
            await ctx.publish("payment.processed")

        broker = lab.broker("shop", like="rabbitmq")
        lab.deploy(payment, on=broker, instances=instances)
        for n in range(500):
            broker.publish("order.placed", {}, key=n, source="web")

    found, times = panel(shop, instances=(1, 4)), []
    for instances in (2, 3, 4, 2):
        start = time.process_time()
        found.set(instances=instances)
        times.append(time.process_time() - start)
    assert found.lab.trace.counts()["publish"] == 1000
    return min(times)


if __name__ == "__main__":
    print(1000 * {"import": importing, "panel": turning}[sys.argv[1]]())
