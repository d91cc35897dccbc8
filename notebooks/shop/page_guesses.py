"""What the runs of notebook 04 say to its predictions, in the words of the options, and why the others are wrong."""

from collections.abc import Mapping, Sequence

from edakit import Lab
from edakit.evidence import Sweep
from edakit.measure import Spread, spread
from shop import pages, tokens


def option(share: float, options: Sequence[str]) -> str:
    """The option, such as "37 %", that comes closest to this many per cent."""
    return min(options, key=lambda each: abs(float(each.split()[0]) - share))


def after_pause(lab: Lab) -> str:
    """What the reader sees during the pause and in the half minute after it, in words."""
    found = pages.outage(lab)
    then = found["stale % 30 s after"]
    return (
        f"100 % / {'nearly 100 %' if then > 85 else 'as before' if then > 20 else '0 %'}"
        if found["stale % during"] > 99
        else "as before / as before"
    )


def spreads(found: Mapping[str, Sweep]) -> dict[str, dict[str, Spread]]:
    """Each figure of each sweep: mean and range."""
    return {name: {figure: spread(each.column(figure)) for figure in each[0]} for name, each in found.items()}


def moves(found: Mapping[str, Sweep]) -> str:
    """Against no medicine: whether idempotent, saga and event sourcing make pages less stale, as stale or more stale."""
    plain, words = spread(found["none"].column("stale %")).mean, []
    for name in pages.MEDICINES[1:]:
        change = spread(found[name].column("stale %")).mean - plain
        words.append("same" if abs(change) < 2 else "higher" if change > 0 else "lower")
    return ", ".join(words)


OLD_PAGES = {
    "0 %": "an average is not a bound: some facts take longer",
    "50 %": "the mean of these times is not their median",
    "62 %": "that is the share of fresh pages",
}
PAUSE = {
    "as before / as before": "while nobody reads the queue, no page changes",
    "100 % / as before": "the backlog is forgotten: what is new waits behind 150 old facts",
    "100 % / 0 %": "even without a pause some pages are old",
}
MEDICINES = {
    "lower, lower, lower": "none of the three makes a fact travel faster",
    "lower, same, same": "doubles are another illness",
    "same, same, same": "a saga is one more step before the fact",
}
SCREENS = tokens.WHY | {
    "50 %": "half of the screens would have to see the copy ahead first and then the one behind, in the few looks while they differ",
}
