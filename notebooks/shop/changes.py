"""What one system must change to become another: services that are new, and services that now hear or do something else."""

from typing import NamedTuple

from edakit import Lab


class Changes(NamedTuple):
    """Names of services, in order."""

    added: list[str]
    changed: list[str]


def services_changed(before: Lab, after: Lab) -> Changes:
    """Compare the services of two labs: what each listens to, the code that answers, the steps of each saga.

    Where a service runs, and on how many instances, is no change of the service.
    """
    old, new = _parts(before), _parts(after)
    return Changes([name for name in new if name not in old], [name for name in new if name in old and new[name] != old[name]])


def _parts(lab: Lab) -> dict[str, object]:
    """Each service by what it is made of: (what wakes it, code) for plain services, (step, code, way back) for sagas."""
    parts: dict[str, object] = {}
    for name, deployment in lab.deployments.items():
        if deployment.saga is None:
            parts[name] = {pattern: _code(handler) for pattern, handler in deployment.service.handlers.items()}
        else:
            steps = deployment.saga.steps
            parts[name] = [(step.name, _code(step.action), step.compensate and _code(step.compensate)) for step in steps]
    return parts


def _code(handler: object) -> object:
    """The code of a function: two closures of one function are the same code."""
    return getattr(handler, "__code__", handler)
