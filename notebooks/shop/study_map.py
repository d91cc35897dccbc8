"""The study page beside the notebooks: where each of its headings, challenges, practices and questions is met, and all claims so far."""

from collections.abc import Mapping
from pathlib import Path

from edakit import table
from shop.component_verdicts import COMPONENTS
from shop.contract_verdicts import COMPARED
from shop.letter_verdicts import DEAD_LETTERS
from shop.once_verdicts import ONCE
from shop.order_verdicts import ORDER_PROCESSING
from shop.page_verdicts import CONSISTENCY
from shop.reader_verdicts import PUBSUB_AND_STREAMING
from shop.saga_verdicts import SAGAS
from shop.schema_verdicts import SCHEMAS
from shop.source_verdicts import SOURCES
from shop.turn_verdicts import ORDERING
from shop.verdicts import CALLS_AND_EVENTS, Claim

PLACES = {
    "concept": {
        "events; why and when": "00 01",
        "synchronous, asynchronous": "01",
        "publish-subscribe, streaming": "02",
        "producer, broker, consumer, store": "03",
        "use cases": "09 13",
    },
    "challenge": {
        "eventual consistency": "04",
        "ordering": "05",
        "failures and retries": "06",
        "debugging": "14",
    },
    "best practice": {
        "idempotency": "00 08",
        "dead-letter queues": "06",
        "schemas": "10",
        "choice of a broker": "07",
    },
    "question": {
        "1 what is EDA": "01",
        "2 two models": "02",
        "3 components": "03",
        "4 challenges, consistency": "04 11 12",
        "5 ordering": "05",
        "6 dead letters": "06",
        "7 Kafka, RabbitMQ, EventBridge": "07",
        "8 idempotency": "08",
        "9 a real example": "09",
        "10 schema evolution": "10",
    },
    "summary": {"when, which, CQRS, best practices": "07 11 12"},
}
CLAIMS: dict[str, Mapping[str, Claim]] = {
    "01": CALLS_AND_EVENTS,
    "02": PUBSUB_AND_STREAMING,
    "03": COMPONENTS,
    "04": CONSISTENCY,
    "05": ORDERING,
    "06": DEAD_LETTERS,
    "07": COMPARED,
    "08": ONCE,
    "09": ORDER_PROCESSING,
    "10": SCHEMAS,
    "11": SAGAS,
    "12": SOURCES,
}


class Listing:
    """Rows that are a Markdown table with links in a notebook, and a text table elsewhere. `linked`: the column with numbers."""

    def __init__(self, head: tuple[str, ...], rows: list[tuple[str, ...]], linked: int) -> None:
        self.head, self.rows, self.linked = head, rows, linked

    def _repr_markdown_(self) -> str:
        files = {path.name[:2]: path.name for path in sorted(Path().glob("[0-9][0-9]_*.ipynb"))}

        def link(numbers: str) -> str:
            return " ".join(f"[{each}]({files[each]})" if each in files else each for each in numbers.split())

        shown = [[link(cell) if n == self.linked else cell for n, cell in enumerate(row)] for row in self.rows]
        return "\n".join(f"| {' | '.join(row)} |" for row in [self.head, ("---",) * len(self.head), *shown])

    def __repr__(self) -> str:
        return str(table(self.rows, self.head))


def page() -> Listing:
    """Each part of the page, and the notebooks that take it up; those without a link are still to come."""
    rows = [(kind, item, numbers) for kind, items in PLACES.items() for item, numbers in items.items()]
    return Listing(("", "the page", "notebook"), rows, linked=2)


def claims() -> Listing:
    """Each sentence of the page that was put to the test so far, what came of it, and where: some in two notebooks."""
    rows = [(id, claim.says, claim.verdict, number) for number, met in CLAIMS.items() for id, claim in met.items()]
    return Listing(("claim", "the page says", "verdict", "notebook"), sorted(rows, key=_order), linked=3)


def _order(row: tuple[str, ...]) -> tuple[int, int, int]:
    part, _, number = row[0][1:].partition(".")
    letter = row[0][0]
    return "CQS".index(letter), int(part or 0), int(number or 0)
