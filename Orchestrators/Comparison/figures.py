"""The report's figures, as SVG in data URIs: one for light and one for dark pages."""

import base64
import dataclasses
import io
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from Orchestrators.Comparison.comparisons import Result
from Orchestrators.Comparison.metrics import Metric
from Orchestrators.Comparison.scores import BICUBIC
from Orchestrators.Comparison.tables import reference_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colors that are seen on white and on black, told apart by the color-blind; then shapes repeat them.
_COLORS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9')
_MARKERS = ('o', 's', '^', 'D', 'v', 'P', 'X', '*')
_GLYPHS = {'o': '●', 's': '■', '^': '▲', 'D': '◆', 'v': '▼', 'P': '✚', 'X': '✖', '*': '★'}
_GRAY = '#808080'
_WIDTH_INCHES = 4.6
_FONT_POINTS = 8.5


@dataclasses.dataclass(frozen=True)
class Figure:
    """A figure as data URIs."""

    light: str
    dark: str
    alternative: str
    """Description for those who don't see it."""


@dataclasses.dataclass(frozen=True)
class Style:
    """Look of a model in every figure."""

    color: str
    marker: str

    @property
    def glyph(self) -> str:
        """The marker as a character, for the legend."""
        return _GLYPHS[self.marker]


@dataclasses.dataclass(frozen=True)
class CostPoint:
    """A model's score and what it costs."""

    model: str
    cost: float
    score: float


def styles_of(models: Sequence[str]) -> dict[str, Style]:
    """A color and a shape for each model; gray crosses for bicubic interpolation."""
    networks = [model for model in models if model != BICUBIC]
    styles = {
        model: Style(_COLORS[index % len(_COLORS)], _MARKERS[(index + index // len(_COLORS)) % (len(_MARKERS) - 2)])
        for index, model in enumerate(networks)
    }
    return styles | ({BICUBIC: Style(_GRAY, 'X')} if BICUBIC in models else {})


def score_over_scale(results: Sequence[Result], styles: Mapping[str, Style], *, over_bicubic: bool = False) -> Figure:
    """One benchmark and protocol: every model's mean over the scale, or its gain over bicubic interpolation."""
    metric = results[0].metric
    models = [model for model in _models(results, styles) if model != BICUBIC or not over_bicubic]
    heading = f'{metric.name} over bicubic{_unit(metric)}' if over_bicubic else metric.heading

    def draw(axes: 'Axes') -> None:
        for model in models:
            points = _points_over_scale(results, model, over_bicubic=over_bicubic)
            style = styles[model]
            scales, means = zip(*points, strict=True) if points else ((), ())
            axes.plot(scales, means, color=style.color, marker=style.marker, markersize=4.5, linewidth=1.3)
        axes.set_xlabel('scale')
        axes.set_ylabel(heading)
        axes.set_xticks(sorted({result.test.mean_scale for result in results if math.isfinite(result.test.mean_scale)}))
        axes.xaxis.set_major_formatter('{x:g}')

    scales = ', '.join(f'x{result.test.scale}' for result in results)
    return _draw(draw, 3.0, f'{heading} of {len(models)} models on {results[0].test.benchmark} at {scales}')


def differences(result: Result, styles: Mapping[str, Style], baseline: str | None) -> Figure:
    """One test: each model's difference from the reference, with its interval and its seeds.

    Bicubic interpolation is left out, unless it is the reference: it lies so far off that the others would coincide.
    """
    reference = reference_of(result, baseline)
    shown = {reference, *_networks(result)}
    standings = [standing for standing in reversed(result.standings) if standing.model in shown]
    center = next(standing.mean for standing in standings if standing.model == reference)

    def draw(axes: 'Axes') -> None:
        for place, standing in enumerate(standings):
            style = styles[standing.model]
            comparison = result.against(standing.model, reference)
            if comparison is not None and math.isfinite(comparison.interval.low):
                bounds = (comparison.interval.low, comparison.interval.high)
                axes.plot(bounds, (place, place), color=style.color, linewidth=2.2, solid_capstyle='butt')
            axes.plot(standing.mean - center, place, color=style.color, marker=style.marker, markersize=6.5)
            if len(standing.seed_means) > 1:
                seeds = [mean - center for mean in standing.seed_means.values()]
                axes.plot(
                    seeds, [place - 0.3] * len(seeds), color=style.color, marker='|', markersize=7, linewidth=0,
                    markeredgewidth=1.3,
                )  # fmt: skip
        axes.axvline(0, color=_GRAY, linewidth=0.8, zorder=0)
        axes.set_yticks(range(len(standings)), [_short(standing.model) for standing in standings])
        axes.set_ylim(-0.7, len(standings) - 0.4)
        axes.grid(visible=False, axis='y')
        axes.set_xlabel(f'difference in {result.metric.heading}')
        axes.locator_params(axis='x', nbins=6)
        axes.margins(x=0.08)

    return _draw(
        draw,
        0.85 + 0.3 * len(standings),
        f'{result.test.title}: differences from {reference} with intervals; the numbers are in the table',
    )


def score_against_cost(
    points: Sequence[CostPoint], styles: Mapping[str, Style], cost: str, heading: str, title: str
) -> Figure:
    """One test: scores over one kind of cost."""

    def draw(axes: 'Axes') -> None:
        for point in points:
            style = styles[point.model]
            axes.plot(point.cost, point.score, color=style.color, marker=style.marker, markersize=7, linewidth=0)
        costs = [point.cost for point in points]
        if min(costs) > 0 and max(costs) / min(costs) > 8:
            axes.set_xscale('log')
            axes.xaxis.set_minor_formatter('')
        else:
            axes.locator_params(axis='x', nbins=5)
        axes.xaxis.set_major_formatter(lambda value, _: _compact(value))
        axes.margins(0.08)
        axes.set_xlabel(cost)
        axes.set_ylabel(heading)

    return _draw(draw, 2.8, f'{title}: {heading} over {cost}')


def _compact(value: float) -> str:
    """1.5 M for 1500000."""
    for size, letter in ((1e9, ' G'), (1e6, ' M'), (1e3, ' k')):
        if abs(value) >= 10 * size or (abs(value) >= size and letter != ' k'):
            return f'{value / size:.4g}{letter}'
    return f'{value:.4g}'


def _models(results: Sequence[Result], styles: Mapping[str, Style]) -> list[str]:
    present = {standing.model for result in results for standing in result.standings}
    return [model for model in styles if model in present]


def _points_over_scale(results: Sequence[Result], model: str, *, over_bicubic: bool) -> list[tuple[float, float]]:
    points = []
    for result in results:
        means = {standing.model: standing.mean for standing in result.standings}
        if model in means and math.isfinite(result.test.mean_scale) and (BICUBIC in means or not over_bicubic):
            points.append((result.test.mean_scale, means[model] - (means[BICUBIC] if over_bicubic else 0)))
    return points


def _unit(metric: Metric) -> str:
    return f' ({metric.unit})' if metric.unit else ''


def _networks(result: Result) -> list[str]:
    return [standing.model for standing in result.standings if standing.model != BICUBIC]


def _short(name: str) -> str:
    """A name that leaves room for the axes; the tables have it whole."""
    return name if len(name) <= 34 else f'{name[:20]}…{name[-13:]}'


def _draw(draw: Callable[['Axes'], None], height_inches: float, alternative: str) -> Figure:
    light = _draw_once(draw, height_inches, ink='#222222', grid='#dddddd')
    return Figure(light, _draw_once(draw, height_inches, ink='#dddddd', grid='#444444'), alternative)


def _draw_once(draw: Callable[['Axes'], None], height_inches: float, *, ink: str, grid: str) -> str:
    import matplotlib as mpl  # noqa: PLC0415  optional, slow
    from matplotlib.figure import Figure as Canvas  # noqa: PLC0415

    settings: dict[Any, Any] = {
        'font.size': _FONT_POINTS, 'text.color': ink, 'axes.edgecolor': ink, 'axes.labelcolor': ink, 'xtick.color': ink,
        'ytick.color': ink, 'grid.color': grid, 'axes.grid': True, 'grid.linewidth': 0.6, 'axes.axisbelow': True,
        'axes.spines.top': False, 'axes.spines.right': False, 'axes.linewidth': 0.7, 'svg.hashsalt': 'figure',
        # Names come from files: a dollar sign in them is no formula.
        'text.parse_math': False,
    }  # fmt: skip
    with mpl.rc_context(settings):
        canvas = Canvas(figsize=(_WIDTH_INCHES, height_inches), layout='constrained')
        draw(canvas.add_subplot())
        written = io.BytesIO()
        canvas.savefig(written, format='svg', transparent=True, metadata={'Date': None, 'Creator': None})
    return data_uri(written.getvalue(), 'image/svg+xml')


def data_uri(content: bytes, kind: str) -> str:
    """A file's content as an address that holds it."""
    return f'data:{kind};base64,{base64.b64encode(content).decode("ascii")}'
