"""Run the property tests with ever new examples, for as long as told: `make soak MINUTES=30`.

Each round has a seed of its own, which is printed: `pytest --hypothesis-profile=search --hypothesis-seed=7 tests/test_queue.py` is round 7
again. Ends at the first failure, or after the round in which the time is up.
"""

import itertools
import subprocess
import sys
import time
from pathlib import Path

TESTS = Path(__file__).parent.parent / "tests"


def files() -> list[str]:
    """The test modules that have properties."""
    return [str(path) for path in sorted(TESTS.glob("test_*.py")) if "from hypothesis" in path.read_text("utf-8")]


def soak(minutes: float) -> int:
    """Round after round; the number to exit with."""
    end, modules = time.monotonic() + 60 * minutes, files()
    for seed, module in zip(itertools.count(1), itertools.cycle(modules)):
        options = ["-q", "-x", "--hypothesis-profile=search", f"--hypothesis-seed={seed}", "--timeout=3600"]
        print(f"round {seed}: {Path(module).name}", flush=True)
        done = subprocess.run([sys.executable, "-m", "pytest", *options, "-m", "not browser and not bench", module], check=False)
        if done.returncode:
            print(f"failed in round {seed}: pytest {' '.join(options[2:4])} {module}")
            return 1
        if time.monotonic() > end:
            break
    print(f"{seed} rounds, nothing found")
    return 0


if __name__ == "__main__":
    sys.exit(soak(float(sys.argv[1]) if len(sys.argv) > 1 else 10))
