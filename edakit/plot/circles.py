"""Up to three sets of keys as circles, about to scale, with the number of keys in each region."""

import math
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle

from edakit.errors import ArgumentError, EmptyTrace
from edakit.plot.style import CYCLE, DASHES, INK, RED, Picture, look
from edakit.table import clean, table

WIDTH, HEIGHT = 900, 360
HATCHES = ("///", "\\\\\\", "...", "xx")
FINE = 220  # raster points along the height, to find where a region lies

Region = tuple[bool, ...]
Spot = tuple[float, float, float]  # x, y, radius


def sets(groups: Mapping[str, AbstractSet[Any]], wrong: Mapping[str, AbstractSet[Any]] | None = None) -> Picture:
    """Draw one to three sets of keys as circles whose areas and overlaps are about to scale.

    `wrong` names keys that should not be, e.g. `{"false mail": mailed - (paid & got)}`: regions that hold only such
    keys are hatched, and the names and numbers stand beside the circles. Raises ArgumentError for more than three
    sets, EmptyTrace if all are empty.
    """
    if not 1 <= len(groups) <= 3:
        raise ArgumentError(f"plot.sets draws one to three sets, not {len(groups)}")
    if not any(groups.values()):
        raise EmptyTrace("plot.sets has nothing to draw: no set has a key; look at trace.counts(by='type')")
    wrong = dict(wrong or {})
    names = list(groups)
    regions: dict[Region, list[Any]] = {}
    for key in dict.fromkeys(key for group in groups.values() for key in group):
        regions.setdefault(tuple(key in group for group in groups.values()), []).append(key)
    spots = _layout([set(group) for group in groups.values()])
    with look():
        picture = Picture(WIDTH, HEIGHT)
        axes = picture.add_axes((0, 0, 0.6, 1))
        axes.set_axis_off()
        axes.set_aspect("equal")
        low, high = min(y - r for _, y, r in spots), max(y + r for _, y, r in spots)
        left, right = min(x - r for x, _, r in spots), max(x + r for x, _, r in spots)
        room = (high - low) * 0.16
        axes.set_xlim(left - room, right + room)
        axes.set_ylim(low - room, high + room)
        for n, (x, y, radius) in enumerate(spots):
            axes.add_patch(
                Circle((x, y), radius, facecolor=CYCLE[n] + "26", edgecolor=CYCLE[n], linewidth=2, linestyle=DASHES[n])
            )
        _regions(axes, spots, regions, wrong)
        _names(picture, groups, wrong)
    rows = [
        {"keys": len(keys), "in": " & ".join(name for name, inside in zip(names, region, strict=True) if inside)}
        for region, keys in sorted(regions.items(), reverse=True)
    ]
    twin = [f"{clean(name)}: {len(group):,}" for name, group in groups.items()]
    bad = [f"wrong, {clean(name)}: {len(keys):,}" for name, keys in wrong.items()]
    picture.twin = "\n".join([", ".join(twin), str(table(rows)), *bad])
    return picture


def _regions(axes: Axes, spots: list[Spot], regions: Mapping[Region, list[Any]], wrong: Mapping[str, AbstractSet[Any]]) -> None:
    """Write the number of each region where the region is widest, or beside it with a line; hatch what is wrong."""
    left, right = axes.get_xlim()
    low, high = axes.get_ylim()
    xs, ys = np.meshgrid(np.linspace(left, right, int(FINE * 1.6)), np.linspace(low, high, FINE))
    inside = [(xs - x) ** 2 + (ys - y) ** 2 <= r * r for x, y, r in spots]
    depth = [r - np.sqrt((xs - x) ** 2 + (ys - y) ** 2) for x, y, r in spots]
    for region, keys in sorted(regions.items()):
        mask = np.ones_like(inside[0])
        clear = np.full_like(xs, np.inf)
        for within, here, deep in zip(region, inside, depth, strict=True):
            mask &= here if within else ~here
            clear = np.minimum(clear, deep if within else -deep)
        for n, bad in enumerate(wrong.values()):
            if all(key in bad for key in keys) and mask.any():
                axes.contourf(xs, ys, mask.astype(float), levels=[0.5, 1.5], colors=[RED + "30"], hatches=[HATCHES[n % 4]])
        at = int(np.argmax(np.where(mask, clear, -np.inf)))
        x, y, space = float(xs.flat[at]), float(ys.flat[at]), float(clear.flat[at])
        text = f"{len(keys):,}"
        if mask.any() and space > (high - low) * 0.028:
            axes.text(
                x,
                y,
                text,
                ha="center",
                va="center",
                fontsize=10,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.8},
                zorder=8,
            )
        elif mask.any():
            mid_x, mid_y = sum(spot[0] for spot in spots) / len(spots), sum(spot[1] for spot in spots) / len(spots)
            angle = math.atan2(y - mid_y, x - mid_x)
            far = max(math.hypot(cx - mid_x, cy - mid_y) + r for cx, cy, r in spots) * 1.1
            target = (mid_x + math.cos(angle) * far, mid_y + math.sin(angle) * far)
            line = {"arrowstyle": "-", "color": INK, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 0}
            axes.annotate(
                text,
                (x, y),
                target,
                arrowprops=line,
                fontsize=10,
                ha="center",
                va="center",
                zorder=8,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
            )


def _names(picture: Picture, groups: Mapping[str, AbstractSet[Any]], wrong: Mapping[str, AbstractSet[Any]]) -> None:
    """Beside the circles: each set with its line, each kind of wrong keys with its hatch."""
    axes = picture.add_axes((0.62, 0, 0.38, 1))
    axes.set_axis_off()
    axes.set_xlim(0, 342)
    axes.set_ylim(HEIGHT, 0)
    y = HEIGHT / 2 - 17 * (len(groups) + len(wrong)) - (10 if wrong else 0)
    for n, (name, keys) in enumerate(groups.items()):
        y += 34
        axes.plot([4, 40], [y, y], color=CYCLE[n], linestyle=DASHES[n], linewidth=2.5)
        axes.text(100, y, f"{len(keys):,}", fontsize=11, va="center", ha="right")
        axes.text(112, y, clean(name, 34), fontsize=10, va="center")
    y += 20 if wrong else 0
    for n, (name, keys) in enumerate(wrong.items()):
        y += 34
        fill, edge, hatch = (RED + "30", RED, HATCHES[n % 4]) if keys else ("white", "#c8c8c8", "")
        axes.fill([4, 40, 40, 4], [y - 11, y - 11, y + 11, y + 11], facecolor=fill, edgecolor=edge, hatch=hatch)
        axes.text(100, y, f"{len(keys):,}", fontsize=13, weight="bold", va="center", ha="right")
        axes.text(112, y, clean(name, 34), fontsize=10, va="center")


def _layout(groups: list[set[Any]]) -> list[Spot]:
    """Circles whose regions come as near to the numbers of keys as circles can.

    Found by trying small moves: errors count by their square roots, so that a region of a few keys still shows and one
    without keys does not.
    """
    top = max(map(len, groups))
    want: dict[int, float] = {}
    for key in set().union(*groups):
        region = sum(1 << n for n, group in enumerate(groups) if key in group)
        want[region] = want.get(region, 0.0) + math.pi / top
    spots = [[-0.3, 0.0], [0.3, 0.0], [0.0, -0.4]]
    now = [value for group, spot in zip(groups, spots, strict=False) for value in (*spot, max(0.1, math.sqrt(len(group) / top)))]
    ys, xs = np.mgrid[-1.7:1.7:96j, -1.7:1.7:96j]

    def loss(values: list[float]) -> float:
        code = np.zeros(xs.shape, dtype=np.int64)
        for n in range(0, len(values), 3):
            code += ((xs - values[n]) ** 2 + (ys - values[n + 1]) ** 2 <= values[n + 2] ** 2) * (1 << (n // 3))
        areas = np.bincount(code.ravel(), minlength=1 << len(groups)) * (3.4 / 95) ** 2
        return float(sum((math.sqrt(areas[n]) - math.sqrt(want.get(n, 0.0))) ** 2 for n in range(1, 1 << len(groups))))

    best, step = loss(now), 0.2
    while step > 0.004:
        better = False
        for n in range(len(now)):
            for change in (step, -step):
                tried = [*now[:n], now[n] + change, *now[n + 1 :]]
                if tried[n - n % 3 + 2] > 0.08 and (error := loss(tried)) < best - 1e-9:
                    now, best, better = tried, error, True
        step = step if better else step / 2
    return [(now[n], now[n + 1], now[n + 2]) for n in range(0, len(now), 3)]
