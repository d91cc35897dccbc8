"""The player: a run as a film, told by its trace.

Rooms: `facts` (the state of a run as step functions), `layout` (where things stand), `film` (all that the browser needs),
`words` (a sentence per row), `twins` (page, table, diagram), `still` (picture), `widget` (the Player itself), and for the browser
`player.js` and `player.css`.

Nothing here decides what happened: the state comes from `edakit.state`, messages and work from `edakit.plot.scene`.
"""

from edakit.player.widget import Player, play

__all__ = ["Player", "play"]
