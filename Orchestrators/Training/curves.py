"""`curves.png`: the losses, the validation and the learning rate of a run over the samples that it has seen."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from Utilities.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

EPOCH = 'epoch'
SAMPLES_SEEN = 'samples_seen'

# Okabe and Ito's colors, https://jfly.uni-koeln.de/color/, which the color-blind can tell apart, without yellow, which
# nobody can see on white. Line styles change as well, for those who print in gray.
_COLORS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#000000')
_STYLES = ('-', '--', '-.', (0, (1, 1.2)), (0, (4, 1.5, 1, 1.5, 1, 1.5)))
_GRAY = '#555555'
_FEW = 25
"""Up to so many points a line shows each of them."""

_MAGNITUDES = 8
"""Largest value over smallest from which on a scale is logarithmic."""

Row = Mapping[str, float]


@dataclasses.dataclass(frozen=True)
class Curve:
    """A column of the table, and how the picture calls it."""

    column: str
    label: str
    factor: float = 1
    """What the column is multiplied by."""

    def points(self, rows: Sequence['Row']) -> list[tuple[float, float]]:
        """Samples seen and value wherever there is one; values that are not finite leave a gap."""
        values = [(row[SAMPLES_SEEN], self.factor * row[self.column]) for row in rows if self.column in row]
        return [(samples, value if math.isfinite(value) else math.nan) for samples, value in values]


@dataclasses.dataclass(frozen=True)
class Panel:
    """Curves on common axes."""

    title: str
    curves: Sequence[Curve]
    steps: bool = False
    """Each value holds for the whole epoch, instead of being a point on a way; the title says what it is."""

    best_epoch: int | None = None
    """Epoch to be marked."""


def draw_curves(rows: Sequence[Row], panels: Sequence[Panel], title: str, path: Path) -> None:
    """Draw panels one above the other, over samples seen, and write them as PNG.

    Raises:
        ImportError: if matplotlib is missing.
    """
    figure = make_figure(rows, panels, title)
    with replacing(path) as temporary:
        figure.savefig(temporary, format='png')


def make_figure(rows: Sequence[Row], panels: Sequence[Panel], title: str) -> 'Figure':
    """The picture as matplotlib has it. Curves without values are left out, and so are panels without curves."""
    # Slow to import, and optional. Its objects instead of pyplot, whose state is global.
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    shown = [
        dataclasses.replace(panel, curves=present)
        for panel in panels
        if (present := [curve for curve in panel.curves if any(curve.column in row for row in rows)])
    ]
    figure = Figure(figsize=(9, 0.9 + 2.7 * len(shown)), dpi=110, layout='constrained')
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=11, color=_GRAY)
    all_axes = figure.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0]
    for axes, panel in zip(all_axes, shown, strict=True):
        _draw_panel(axes, panel, rows)
    _label_samples(all_axes[-1])
    return figure


def _draw_panel(axes: 'Axes', panel: Panel, rows: Sequence[Row]) -> None:
    for number, curve in enumerate(panel.curves):
        points = curve.points(rows)
        axes.plot(
            *zip(*points, strict=True),
            label=curve.label,
            color=_COLORS[number % len(_COLORS)],
            linestyle=_STYLES[number % len(_STYLES)],
            linewidth=1.6,
            marker='o' if len(points) <= _FEW else None,
            markersize=3.5,
            drawstyle='steps-pre' if panel.steps else 'default',
        )
    _choose_scale(axes, [value for curve in panel.curves for _, value in curve.points(rows) if math.isfinite(value)])
    marked = [row[SAMPLES_SEEN] for row in rows if row[EPOCH] == panel.best_epoch]
    if marked:
        label = f'best: epoch {panel.best_epoch}'
        axes.axvline(marked[0], color=_GRAY, linewidth=1, linestyle=(0, (2, 2)), zorder=0, label=label)
    axes.set_title(panel.title, loc='left', fontsize=11)
    axes.grid(visible=True, color='#DDDDDD', linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[['top', 'right']].set_visible(False)
    if not panel.steps:
        # Beside the lines, never over them.
        axes.legend(loc='upper left', bbox_to_anchor=(1.01, 1.02), borderaxespad=0, frameon=False, fontsize=9)


def _label_samples(axes: 'Axes') -> None:
    from matplotlib.ticker import EngFormatter, MaxNLocator  # noqa: PLC0415

    axes.set_xlim(left=0)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    axes.xaxis.set_major_formatter(EngFormatter(sep=''))
    axes.set_xlabel('samples seen')


def _choose_scale(axes: 'Axes', values: Sequence[float]) -> None:
    """A logarithmic scale for values of several magnitudes."""
    if not values or min(values) <= 0 or max(values) < _MAGNITUDES * min(values):
        return
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter  # noqa: PLC0415

    axes.set_yscale('log')
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if max(values) < 100 * min(values) else (1,)))
    axes.yaxis.set_major_formatter(StrMethodFormatter('{x:g}'))
    axes.yaxis.set_minor_formatter(NullFormatter())
