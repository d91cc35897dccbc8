"""A view is built anew, and a mail hangs on it: what is an effect, and who may replay it?"""

from typing import Any

from edakit import EventStore, Lab, Service
from edakit.event import Event
from edakit.service import Context
from edakit.store import Recorded

ON_THE_VIEW, INBOX = "on the view", "behind an inbox"


def rebuilt(lab: Lab, mailer: str = ON_THE_VIEW, orders: int = 1000, declines: float = 0.05) -> None:
    """A day of orders, each confirmed or, if the card is declined, cancelled; then the view of all is built anew.

    mailer: the mail to the customer is sent by the function that builds the view; or by one that keeps a list of the mails it has sent.
    """
    web, shop, store = lab.server("web"), Service("shop"), EventStore()

    @shop.on("day")
    async def day(start: Event, ctx: Context) -> None:
        inbox: set[str] = set()

        def show(confirmed: Any, event: Recorded) -> Any:
            if event.type == "order.confirmed":
                if mailer == ON_THE_VIEW or event.stream not in inbox:
                    inbox.add(event.stream)
                    ctx.log(f"mail to {event.stream}")
                return confirmed + 1
            return confirmed

        view = store.projection("confirmed", show, 0)
        for n in range(1, orders + 1):
            end = "order.cancelled" if ctx.random.random() < declines else "order.confirmed"
            store.append(f"order-{n}", [("order.placed", {"total": 9.90}), (end, {})], expected_version=0)
            view.catch_up()
        ctx.log("rebuild")
        view.rebuild()

    lab.deploy(shop, on=web)
    lab.call("shop", {}, source="lab-clock")


def mails(lab: Lab) -> dict[str, float]:
    """Mails on the day itself, and mails that the rebuild has sent."""
    notes = [row.note for row in lab.trace.where("log")]
    at = notes.index("rebuild")
    return {"mails on the day": at, "phantom mails": len(notes) - at - 1}


WHY = {
    "none": "building a view calls the same function again, and it does not know that this is the past",
    "1": "one a customer, and there are many",
    "1,000": "some cards were declined: no confirmation, no mail",
}


def guessed(phantoms: float, orders: int = 1000) -> str:
    """Which of the guesses fits."""
    return {0: "none", 1: "1", orders: "1,000"}.get(int(phantoms), "one for each confirmed order")
