"""Topic patterns: words between dots, `*` for one of them, `#` for any number."""

from functools import lru_cache


@lru_cache(maxsize=4096)
def topic_matches(pattern: str, routing_key: str) -> bool:
    """Whether a topic pattern covers a routing key.

    `*` stands for exactly one word, `#` for any number of words, none included. The empty key has no words; the piece between two
    dots is an empty word. Source: RabbitMQ, topic exchange (https://www.rabbitmq.com/docs/exchanges; rabbit_exchange_type_topic).
    """
    words = routing_key.split(".") if routing_key else []
    reached = {0}  # how many words of the key the pattern so far may have used up
    for word in pattern.split(".") if pattern else []:
        if word == "#":
            reached = set(range(min(reached), len(words) + 1))
        else:
            reached = {n + 1 for n in reached if n < len(words) and word in ("*", words[n])}
        if not reached:
            return False
    return len(words) in reached
