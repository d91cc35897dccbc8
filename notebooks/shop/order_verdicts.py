"""What the study page says of order processing, and what we make of it: the evidence and the predictions of notebook 09."""

from shop.verdicts import Claim

ORDER_PROCESSING = {
    "Q9.1": Claim(
        "order recorded; payment, inventory, notification each listen for order events",
        "wrong word for word: the steps need one another; read kindly it leaves out which event; record and publish are two writes",
        "RabbitMQ, the same services: count the mails; kill `orders` between write and publish",
    ),
    "C5.5": Claim(
        "placed, then payment processed, then inventory updated",
        "imprecise: reserve first, with a way back; it contradicts Q9.1",
        "RabbitMQ, the same chain, 900 teas",
    ),
    "Q9.2": Claim(
        "scalability, fault isolation, fraud detection without modifying existing code",
        "imprecise: true for observers and off the path of the answer; who may stop an order changes the flow",
        "RabbitMQ: stop a consumer for a minute; bind one more queue",
    ),
}

WHY: dict[str, dict[object, str]] = {  # what would have to be so for a wrong prediction, for each question
    "first mail": {
        "sorry.sent": "the mail would have to wait",
        "none": "notification would have to be deaf: order.placed wakes it, and payment.declined again",
    },
    "false": {
        0: "the stock would have to last, and no card be empty",
        50: "the stock would have to last",
    },
    "paid for nothing": {
        0: "the stock would have to come first",
        95: "the empty cards would have to take teas away from those who paid, as in the first wiring",
    },
    "crash": {
        "a duplicate": "the handler would have to publish first, and be asked again",
        "nothing": "both writes would have to be one, or no crash fall between them",
    },
    "down": {
        "failed": "that is the chain of calls",
        "confirmed": "payment would have to be off the path of the yes, as notification is",
        "lost": "the broker would have to forget what waits for payment",
    },
    "stopped": {
        "all": "hearing would have to be deciding",
        "most": "shipping would have to look at the flags before it hands over",
    },
}
