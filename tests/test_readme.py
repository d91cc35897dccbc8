"""What the README shows runs, and what it names is there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
LISTINGS = re.findall(r"^```python\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)
FILES = sorted(set(re.findall(r"`((?:edakit|tools|notebooks|\.github)/[\w./]+\.(?:py|yml|ipynb))`", README)))


def run(text):
    return subprocess.run([sys.executable, "-W", "error", "-c", text], capture_output=True, text=True, timeout=60, check=False)


def test_the_first_listing_stands_alone_and_shows_what_happened():
    shown = run(LISTINGS[0])
    assert shown.returncode == 0, shown.stderr
    assert "order-42.placed.1" in shown.stdout
    assert "payment-42.processed.1" in shown.stdout


def test_the_listings_run_one_after_the_other_and_end_as_their_comments_say():
    mail, parked = "print(shop.dead_letters('mail'))", "print(shop.depth('parked'))"
    lost, pending = "print(measure.lost_acked(lab.trace))", "print(jobs.pending('billing'))"
    billing, shelf = "print(orders.lag('billing'))", "print(lab.databases['shelf'].data)"
    replaced, letter = "print(lab.trace.counts()['discard'])", "print(dict(letters[0].extensions))"
    first, *rest = LISTINGS
    said = [
        *(first, rest[0], mail, rest[1], parked, rest[2], replaced, rest[3], billing),
        rest[4].replace("orders.dead_letters", "letters = orders.dead_letters").replace("[0].extensions", ""),
        *(letter, rest[5], pending, rest[6], lost, *rest[7:10], shelf, *rest[10:]),
    ]
    shown = run("\n".join(said))
    assert shown.returncode == 0, shown.stderr
    dead, depth, replaced, lag, letter, pending, lost, shelf = shown.stdout.splitlines()[-8:]
    assert dead == "[<event order-13.placed.1>]"
    assert depth == "1"
    assert replaced == "96"
    assert lag == "0"
    assert letter == "{'origin': 'orders/0/0', 'group': 'mail', 'attempts': 3, 'error': 'no such street'}"
    assert pending.startswith("[{'id': '1-0', 'partition': 0, 'offset': 0, 'member': 'billing.1'")
    assert 0 < int(lost) < 100
    assert shelf == "{'tea': 899, 'seen/order-42.placed.1': True}"


@pytest.mark.parametrize("name", FILES)
def test_each_file_it_names_is_there(name):
    assert (ROOT / name).exists()


def test_there_is_a_listing_and_files_are_named():
    assert len(LISTINGS) >= 7
    assert len(FILES) >= 4


def test_each_target_it_names_is_in_the_makefile():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z-]+)", README))
    assert named
    assert not named - targets
