"""What the study page says of order processing, and what we make of it, for the evidence table of notebook 09."""

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
