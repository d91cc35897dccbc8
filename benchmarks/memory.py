"""What a long run holds in memory: `python memory.py 1000000` runs so many messages in a process of its own and prints MiB.

The most that was ever resident, interpreter included, with every event and all four rows of each message still in the trace.
"""

import subprocess
import sys

from harness import Result

LIMIT = 1024.0  # MiB


def peak() -> float:
    """The most memory this process has had resident, in MiB."""
    import resource

    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / (2**20 if sys.platform == "darwin" else 2**10)


def resident(count: int) -> float:
    """Run `count` messages in a new process; return its peak in MiB."""
    return float(subprocess.check_output([sys.executable, __file__, str(count)], text=True, timeout=300))


def measure(shrink: int = 1) -> Result:
    """A million messages beside the limit."""
    found = resident(1_000_000 // shrink)
    ratio = LIMIT / found
    return Result("memory of a million messages and their rows", "MiB", found, "limit", LIMIT, ratio, 1.0, ratio, ratio)


if __name__ == "__main__":
    from simulators import system

    wanted = int(sys.argv[1])
    lab, shop = system(1, 1)
    lab.workload(shop, "order.placed", every=0.001, count=wanted, key="order")
    lab.run()
    assert len(lab.trace) == 4 * wanted, f"{len(lab.trace)} rows"
    print(peak())
