"""What it takes until the package is there: `python startup.py` imports it and prints the milliseconds of processor time."""

import statistics
import subprocess
import sys
import time

from harness import Result

LIMIT = 150.0  # ms
RUNS = 9


def measure(runs: int = RUNS) -> Result:
    """`import edakit` in so many new processes, beside the limit; nothing that draws or shows may be loaded by it."""
    times = sorted(float(subprocess.check_output([sys.executable, __file__], text=True, timeout=60)) for _ in range(runs))
    ratios = [LIMIT / each for each in reversed(times)]
    middle = statistics.median(times)
    name = "import edakit in a new process"
    return Result(name, "ms", middle, "limit", LIMIT, LIMIT / middle, 1.0, ratios[min(1, runs - 1)], ratios[max(-2, -runs)])


if __name__ == "__main__":
    start = time.process_time()
    import edakit

    print((time.process_time() - start) * 1000)
    assert edakit.__all__
