"""Who can hear, call or use whom: the nodes and edges of a lab, for pictures."""

from typing import NamedTuple

from edakit.sim.world import World


class Edge(NamedTuple):
    """An arrow of the topology."""

    source: str
    target: str
    label: str
    kind: str  # publish, deliver, call or store


def nodes(lab: World) -> dict[str, str]:
    """The nodes by name: client, broker, stream, server, service, saga or database."""
    return {
        **dict.fromkeys(lab.clients, "client"),
        **{name: home.kind for name, home in lab.homes.items()},
        **{name: "saga" if each.saga else "service" for name, each in lab.deployments.items()},
        **dict.fromkeys(lab.databases, "database"),
    }


def edges(lab: World) -> list[Edge]:
    """The arrows: from the wiring, and from what has been published and called so far."""
    found: dict[Edge, None] = {}
    for name, each in lab.deployments.items():
        heard = each.service.handlers if each.home.kind != "server" else ["request"]
        found.update(dict.fromkeys(Edge(each.home.name, name, pattern, "deliver") for pattern in heard))
        if each.db is not None:
            found[Edge(name, each.db.name, "", "store")] = None
    said = ("publish", "append", "call")
    for row in lab.trace.where([kind for kind in said if lab.trace.only is None or kind in lab.trace.only]):
        kind, type = "call" if row.kind == "call" else "publish", row.event.type if row.event else ""
        found[Edge(row.service, row.place.partition("/")[0], type, kind)] = None
    return list(found)
