"""The books of the shop, kept by set arithmetic on the trace: who was told yes, who has paid, who has a tea."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from edakit import Lab, measure, table
from edakit.evidence import Sweep
from edakit.table import Table
from edakit.trace import Keys


def told_yes(lab: Lab) -> Keys:
    """Orders whose customer has a mail that says yes."""
    return lab.trace.keys("mail.sent")


def paid(lab: Lab) -> Keys:
    """Orders that are paid."""
    return lab.trace.keys("payment.processed")


def has_tea(lab: Lab) -> Keys:
    """Orders for which a tea is set aside."""
    return lab.trace.keys("stock.reserved") - lab.trace.keys("stock.released")


def mistakes(lab: Lab) -> dict[str, Keys]:
    """What must not be: each kind of wrong order, by name."""
    return {
        "false yes": told_yes(lab) - (paid(lab) & has_tea(lab)),
        "paid, no tea": paid(lab) - has_tea(lab),
        "tea held, not paid": has_tea(lab) - paid(lab),
    }


def groups(lab: Lab) -> dict[str, Keys]:
    """The three sets the mistakes are made of."""
    return {"told yes": told_yes(lab), "paid": paid(lab), "has a tea": has_tea(lab)}


def audit(lab: Lab) -> dict[str, float]:
    """The books in figures: orders told yes, each kind of mistake, teas sold, seconds until the yes (median and p99)."""
    half, late = measure.quantiles(measure.latency(lab.trace, "order.placed", "mail.sent"))
    wrong = {name: len(keys) for name, keys in mistakes(lab).items()}
    return {
        "told yes": len(told_yes(lab)),
        **wrong,
        "sold": len(paid(lab) & has_tea(lab)),
        "p50 s": round(half, 3),
        "p99 s": round(late, 3),
    }


def compare(what: str, sweeps: Mapping[str, Sweep], figures: Sequence[str] | None = None) -> Table:
    """Sweeps side by side: the mean of each figure (or of these) over all seeds, and the range in which 90 % of the seeds lie."""
    chosen = figures or list(next(iter(sweeps.values()))[0])
    rows = [(name, *(typical(each, figure) for figure in chosen)) for name, each in sweeps.items()]
    return table(rows, [what, *chosen])


def typical(rows: Sweep, figure: str) -> measure.Spread:
    """One figure of a sweep: its mean, and the range in which 90 % of the seeds lie."""
    return measure.spread(rows.column(figure))


def nearest(value: float, options: Iterable[Any]) -> Any:
    """The option that comes closest to what was measured."""
    return min(options, key=lambda option: abs(option - value))
