"""Pictures of a run, each a function of a lab or its trace.

Rooms: `style` (colours, the Picture), `canvas` (boxes and arrows in pixels), `clock` (time axes), `scene` (what the
rows show), `spacetime` (timeline), `wiring` (topology), `logs` (partitions), `sagas` (saga), `curves` (lag, backlog,
cdf, lines), `circles` (sets), `syllabus` (course).

Every function returns a `Picture`: a matplotlib Figure that a notebook shows once, as PNG, and that says in words what
it shows (`print(picture)`). A run without rows raises EmptyTrace.
"""

from edakit.plot.circles import sets
from edakit.plot.curves import backlog, cdf, lag, lines
from edakit.plot.logs import partitions
from edakit.plot.sagas import saga
from edakit.plot.spacetime import timeline
from edakit.plot.style import Picture
from edakit.plot.syllabus import course
from edakit.plot.wiring import topology

__all__ = ["Picture", "backlog", "cdf", "course", "lag", "lines", "partitions", "saga", "sets", "timeline", "topology"]
