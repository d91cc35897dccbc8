"""What the study page says of changing schemas, and what we make of it, for the evidence table of notebook 10."""

from shop.verdicts import Claim

SCHEMAS = {
    "C7.3": Claim(
        "use event versioning for changes in data structure",
        "imprecise: change compatibly first; a new version or type only for what breaks",
        "not needed",
    ),
    "Q10.1": Claim(
        "backward compatibility: new consumers can process older events",
        "imprecise: the definition is right, the advice is not complete: who deploys first, and how far back?",
        "a schema registry in all seven modes",
    ),
    "Q10.2": Claim(
        "include a `schema_version` field in events",
        "imprecise: in the envelope, not in the body; and a number alone is no rule",
        "Kafka: schema id before the data, or a header",
    ),
    "Q10.3": Claim(
        'a "Kafka Schema Registry" validates changes',
        "imprecise: Confluent's or Apicurio's, not Kafka's; it validates schemas when they are registered, not events",
        "Kafka and a producer without serializer",
    ),
    "Q10.4": Claim(
        "deprecate fields, then remove", "right; measure who reads, give a date, never use a number twice", "protoc: `reserved`"
    ),
    "Q10.5": Claim(
        "an intermediary service translates older events",
        "depends: a library in each reader, or a service with a topic of its own; neither knows what was never written",
        "Kafka, two topics; stop the translator",
    ),
}
