"""Evidence tables: what the study page says, what was measured in the notebook, the verdict, how a real broker would confirm it."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from edakit import measure, sweep, table
from edakit.evidence import Sweep
from edakit.sim.scenario import Build
from edakit.table import Table


class Claim(NamedTuple):
    """A sentence of the study page in short, our verdict, and the run on a real system that would confirm it."""

    says: str
    verdict: str
    confirm: str


CALLS_AND_EVENTS = {
    "C0.1": Claim("components communicate by events", "imprecise: says nothing of which kind", "any broker: stop the source"),
    "C0.2": Claim("an event is a change or an update", "imprecise: a fact; some change nothing", "none needed"),
    "C1.1": Claim(
        "background work, requester not blocked",
        "imprecise: it waits for the broker",
        "Kafka acks, RabbitMQ confirms",
    ),
    "C1.2": Claim("producers need not know consumers", "imprecise: not who, but what they read", "Kafka with a schema registry"),
    "C1.3": Claim("scale and add independently", "imprecise: adding yes, scaling to a cap", "Kafka group; SQS FIFO in moto"),
    "C1.4": Claim("immediate feedback", "imprecise: *accepted*, not *done*", "an HTTP server that answers 202"),
    "C1.5": Claim("real-time processing", "depends on load and batching", "Kafka linger sweep"),
    "C1.6": Claim("easily chains actions", "imprecise: easy to build, hard to see", "any broker: mute one step"),
    "C2.1": Claim("choose by sensitivity and feedback", "imprecise: ask who needs the answer", "none needed"),
    "C2.2": Claim("sync blocks, async does not", "imprecise: two axes", "Kafka `send().get()`, consumer off"),
    "C2.3": Claim("sync is tight, async decoupled", "imprecise: in time only", "RabbitMQ: stop and start the consumer"),
    "C2.4": Claim("sync gives instant confirmation", "imprecise: or a timeout that tells nothing", "a local HTTP server"),
    "C2.5": Claim("HTTP is sync, brokers are async", "imprecise: pipe and style cross", "RabbitMQ direct reply-to"),
    "Q1.1": Claim("others react asynchronously", "imprecise: events can be synchronous", "any in-process event bus"),
    "Q1.2": Claim("coupled only through events", "imprecise: not if readers ask back", "any broker: draw the calls"),
    "Q1.3": Claim("scales better: just add consumers", "imprecise: that is extensibility", "SNS and Kinesis quota pages"),
    "Q1.4": Claim("EDA does not wait", "imprecise: who needs the answer waits", "RabbitMQ with a reply queue"),
}
HEAD = ("claim", "the page says", "measured here", "verdict", "a real system would show it")


class Evidence:
    """Claims beside what was measured; a Markdown table in a notebook, a text table elsewhere."""

    def __init__(self, claims: Mapping[str, Claim], measured: Mapping[str, str]) -> None:
        if missing := claims.keys() - measured.keys():
            raise ValueError(f"no measurement for {', '.join(sorted(missing))}: run the cells above")
        self.rows = [(id, claim.says, measured[id], claim.verdict, claim.confirm) for id, claim in claims.items()]

    def _repr_markdown_(self) -> str:
        lines = [HEAD, ("---",) * len(HEAD), *self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def __repr__(self) -> str:
        return str(
            table([(id, measured, verdict) for id, _, measured, verdict, _ in self.rows], ("claim", "measured", "verdict"))
        )


def sweeps(
    build: Build, knob: str, values: Iterable[Any] | Mapping[Any, Any], *, evidence: str, **settings: Any
) -> dict[Any, Sweep]:
    """A sweep for each position of a knob, by position or, from a mapping, by name; each with evidence of its own."""
    named = values if isinstance(values, Mapping) else {value: value for value in values}
    return {name: sweep(build, evidence=f"{evidence}-{name}", **{knob: value}, **settings) for name, value in named.items()}


def spreads(sweeps: Mapping[Any, Sweep], what: str = "") -> Table:
    """A row for each sweep: of every figure the mean, and the range from the 5th to the 95th of a hundred seeds."""
    return table(
        [{what: name, **{figure: measure.spread(each.column(figure)) for figure in each[0]}} for name, each in sweeps.items()]
    )
