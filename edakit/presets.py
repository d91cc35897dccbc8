"""What `like=` switches on, value by value, each with its source.

`print(preset_table("rabbitmq"))` shows them. A preset only fills in what the call itself leaves open.
"""

from typing import Any, NamedTuple

from edakit.errors import WiringError, known


class Preset(NamedTuple):
    """Named after the system it behaves like: what kind of thing that is, and {setting: (value, what it means, source)}."""

    kind: str  # broker, stream, bus or server
    settings: dict[str, tuple[Any, str, str]]


RABBITMQ: dict[str, tuple[Any, str, str]] = {
    "ack_timeout": (60, "seconds until a lost connection is noticed and its deliveries return", "rabbitmq.com/docs/heartbeats"),
    "exchange": ("topic", "routing by patterns on the event type", "rabbitmq.com/docs/exchanges"),
    "alternate": (None, "what no queue gets is dropped, or returned if mandatory", "rabbitmq.com/docs/ae"),
}

KAFKA: dict[str, tuple[Any, str, str]] = {
    "start": ("latest", "a new group reads what comes (auto.offset.reset)", "apache/kafka ConsumerConfig"),
    "session_timeout": (45, "seconds until a dead member is noticed (session.timeout.ms)", "apache/kafka ConsumerConfig"),
    "poll_timeout": (300, "seconds over a poll until a member is put out (max.poll.interval.ms)", "apache/kafka ConsumerConfig"),
    "assignor": (None, "as RangeAssignor, but at once: name one for its protocol", "a choice of this kit; KIP-429"),
    "retention": (604_800, "seconds a record is kept (log.retention.hours, 168)", "apache/kafka ServerLogConfigs"),
    "check": (300, "seconds between two looks (log.retention.check.interval.ms)", "apache/kafka ServerLogConfigs"),
}

SQS: dict[str, tuple[Any, str, str]] = {
    "visibility": (30, "seconds to delete what was received (VisibilityTimeout)", "AWS SQS guide, visibility timeout"),
    "delay": (0, "seconds until a message is visible at first (DelaySeconds)", "AWS SQS guide, delay queues"),
    "retention": (345_600, "seconds a message is kept (MessageRetentionPeriod)", "AWS SQS guide, message quotas"),
    "delivery_limit": (None, "receives until it is a dead letter (maxReceiveCount)", "AWS SQS guide, dead-letter queues"),
    "fifo": (False, "order in each group of one key, and deduplication", "AWS SQS guide, FIFO queues"),
}

FILTER: dict[str, tuple[Any, str, str]] = {
    "filter_scope": ("MessageAttributes", "what a filter policy is over", "AWS SNS guide, filter policy scope")
}

PRESETS = {
    "rabbitmq": Preset(
        "broker",
        {
            "delivery_limit": (None, "a classic queue gives back for ever", "rabbitmq.com/docs/quorum-queues, poison messages"),
            **RABBITMQ,
            "default_queue_type": ("classic", "one copy; lasts if message and queue are durable", "rabbitmq.com/docs/queues"),
        },
    ),
    "rabbitmq-quorum": Preset(
        "broker",
        {
            "delivery_limit": (21, "deliveries; 20 may fail (reject, lost consumer)", "rabbitmq.com/docs/quorum-queues"),
            **RABBITMQ,
            "default_queue_type": ("quorum", "replicated: every message survives a restart", "rabbitmq.com/docs/quorum-queues"),
        },
    ),
    "rabbitmq-stream": Preset(
        "stream",
        {
            "start": ("latest", "a consumer reads what comes (x-stream-offset, next)", "rabbitmq.com/docs/streams, consuming"),
            "session_timeout": (60, "seconds until a lost connection is noticed (heartbeat)", "rabbitmq.com/docs/heartbeats"),
            "retention": (None, "seconds a record is kept (x-max-age): for ever", "rabbitmq.com/docs/streams, declaring"),
            "retention_bytes": (None, "bytes a stream keeps (x-max-length-bytes): all", "rabbitmq.com/docs/streams, declaring"),
        },
    ),
    "in-process": Preset(
        "broker",
        {"inline": (True, "handlers run in the publisher's call, and raise there", "Fowler, What do you mean by Event-Driven?")},
    ),
    "kafka": Preset("stream", KAFKA),
    "kafka-share": Preset(
        "stream",
        {
            "share": (True, "a group's members share the records, not the partitions", "KIP-932"),
            "lock_timeout": (30, "seconds to settle a record (share.record.lock.duration.ms)", "apache/kafka ShareGroupConfig"),
            "delivery_limit": (5, "deliveries (group.share.delivery.count.limit)", "apache/kafka ShareGroupConfig"),
            "window": (2000, "offsets under way (group.share.partition.max.record.locks)", "apache/kafka ShareGroupConfig"),
            "start": ("latest", "a new group reads what comes (share.auto.offset.reset)", "apache/kafka GroupConfig"),
            "retention": KAFKA["retention"],
            "check": KAFKA["check"],
        },
    ),
    "kinesis": Preset(
        "stream",
        {
            "hashing": ("md5", "a shard is a range of the MD5 hashes of partition keys", "AWS Kinesis API, PutRecord"),
            "start": ("latest", "the iterator of a new consumer (LATEST; TRIM_HORIZON is earliest)", "AWS Kinesis guide, KCL"),
            "session_timeout": (10, "seconds until a lease is taken over (failoverTimeMillis)", "AWS Kinesis guide, KCL"),
            "retention": (86_400, "seconds a record can be read", "AWS Kinesis guide, retention period"),
            "segment": (1, "records are given up one by one", "AWS Kinesis guide, retention period"),
            "check": (60, "seconds between two looks; a choice of this kit", "no standard"),
            "read_rate": (2 * 2**20, "bytes a second of a shard, for all consumers together", "AWS Kinesis guide, quotas"),
            "reads": (5, "reads a second of a shard, for all consumers together", "AWS Kinesis guide, quotas"),
            "fan_out": (False, "True: the bytes are for each consumer, and pushed", "AWS Kinesis guide, enhanced fan-out"),
        },
    ),
    "redis-stream": Preset(
        "stream",
        {
            "share": (True, "a group's members share the entries (XREADGROUP)", "redis.io, data types, streams"),
            "lock_timeout": (None, "an entry is pending until it is acked (XACK)", "redis.io, data types, streams"),
            "claim_idle": (None, "seconds after which others claim it (XAUTOCLAIM): never", "redis.io, data types, streams"),
            "delivery_limit": (None, "Redis counts deliveries and limits nothing", "redis.io, data types, streams"),
            "window": (None, "as many as you like are pending", "redis.io, data types, streams"),
            "start": ("latest", "a new group reads what comes (XGROUP CREATE ... $)", "redis.io, commands, XGROUP CREATE"),
            "maxlen": (None, "entries that are kept (XADD ... MAXLEN): all", "redis.io, commands, XADD"),
        },
    ),
    "redis-pubsub": Preset(
        "bus",
        {
            "hard_limit": (32 * 2**20, "bytes waiting for a subscriber at which it is cut off", "redis.io, reference/clients"),
            "soft_limit": (8 * 2**20, "bytes it may have waiting for a while", "redis.io, reference/clients"),
            "soft_seconds": (60, "seconds over the soft limit after which it is cut off", "redis.io, reference/clients"),
        },
    ),
    "sns": Preset("bus", {**FILTER, **SQS}),
    "sns-http": Preset(
        "bus",
        {
            **FILTER,
            "retries": (3, "tries after the first (numRetries)", "AWS SNS guide, message delivery retries, HTTP/S"),
            "backoff": (20, "seconds between tries (minDelayTarget, maxDelayTarget)", "AWS SNS guide, message delivery retries"),
            "max_age": (3600, "seconds a message is tried, whatever the policy says", "AWS SNS guide, message delivery retries"),
            "timeout": (15, "seconds an endpoint has to answer", "AWS SNS guide, HTTP/S endpoints, prepare your endpoint"),
        },
    ),
    "sqs": Preset("bus", {"topic": (False, "one queue, and all take from it", "AWS SQS guide, standard queues"), **SQS}),
    "eventbridge": Preset(
        "bus",
        {
            "retries": (185, "tries after the first (MaximumRetryAttempts)", "AWS EventBridge guide, retry policy"),
            "max_age": (86_400, "seconds an event is tried (MaximumEventAgeInSeconds)", "AWS EventBridge guide, retry policy"),
            "timeout": (5, "seconds a target has to answer", "AWS EventBridge guide, API destinations"),
            "invoke": ("event", "a target has an event when it has taken it", "AWS Lambda guide, asynchronous invocation"),
            "fifo": (False, "a rule promises no order", "AWS EventBridge guide, rules"),
            "archive": (False, "keep every event, for ever, to replay it", "AWS EventBridge guide, archives"),
            "invocations": (None, "a second, others wait (18,750 an account in us-east-1)", "AWS EventBridge guide, quotas"),
        },
    ),
    "eventbridge-custom": Preset(
        "bus",
        {
            "retries": (5, "tries after the first (MaxRetryAttempts)", "AWS EventBridge guide, Custom Event Bus, retry"),
            "max_age": (300, "seconds it is tried (MaxEventAgeInSeconds)", "AWS EventBridge guide, Custom Event Bus, retry"),
            "timeout": (5, "seconds a target has to answer", "AWS EventBridge guide, API destinations"),
            "invoke": ("request-response", "a target has an event when its handler is done", "AWS EventBridge guide, ordering"),
            "fifo": (True, "the events of a key come one by one", "AWS EventBridge guide, Custom Event Bus, ordering"),
            "archive": (True, "keeps every event (1 to 365 days), read from any time", "AWS EventBridge guide, Custom Event Bus"),
        },
    ),
    "http": Preset("server", {"threads": (8, "requests at once an instance; a choice of this kit", "no standard")}),
}


def settings(like: str | None, kind: str) -> dict[str, Any]:
    """The values of a preset for a broker, stream or server. Raises WiringError for an unknown name or one of another kind."""
    if like is None:
        return {}
    fitting = [name for name, preset in PRESETS.items() if preset.kind == kind]
    if like not in fitting:
        raise WiringError(known(f"{kind} preset", like, fitting))
    return {name: value for name, (value, _, _) in PRESETS[like].settings.items()}


def preset_table(like: str) -> list[dict[str, Any]]:
    """The settings of a preset as rows for `table`: setting, value, meaning, source."""
    if like not in PRESETS:
        raise WiringError(known("preset", like, list(PRESETS)))
    return [
        {"setting": name, "value": str(value), "meaning": meaning, "source": source}
        for name, (value, meaning, source) in PRESETS[like].settings.items()
    ]
