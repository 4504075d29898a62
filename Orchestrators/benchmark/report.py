"""The results of a benchmark as a page and as a picture."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from Orchestrators.benchmark.measuring import Spread
from Utilities.reports import format_markdown

if TYPE_CHECKING:
    from Orchestrators.benchmark.running import MemoryRow, Results

_LOGGER = logging.getLogger(__name__)
_OURS, _PLAIN = '#0b6e99', '#9a9a9a'


def describe(results: 'Results', picture: Path | None) -> str:
    """The page, in Markdown."""
    parts = [
        _introduction(results),
        f'![Time and memory over the size of the result]({picture.name})' if picture else '',
    ]
    if results.inference:
        parts += ['## Inference', _inference_table(results)]
    if results.memory:
        parts += ['## Memory', _memory_text(results), _memory_table(results)]
    if results.training:
        parts += ['## Training step', _training_text(results), _training_table(results)]
    if results.loader:
        parts += ['## Training samples', _loader_text(results)]
    return '\n\n'.join(part for part in parts if part) + '\n'


def _introduction(results: 'Results') -> str:
    plan = results.plan
    threads = f', {plan.threads} thread{"s" if plan.threads > 1 else ""}' if plan.device == 'cpu' else ''
    clock = "the process's own time" if plan.device == 'cpu' and plan.threads == 1 else "the wall's clock"
    compiled = ', ours through torch.compile' if plan.compile else ''
    return f"""# Benchmarks

Ours against the published algorithms written plainly ([`naive.py`](../Orchestrators/benchmark/naive.py): features
unfolded, each corner through the whole MLP, 30 000 queries a chunk; SRNO and HIIF all at once, CLIT 4 000), with the
same weights, the same encoder (EDSR-baseline) and the published sizes. Both run in one process in turn,
{plan.alternations} times each; given are medians, ratios of neighbors in time, and their quartiles in brackets. Time is
{clock}.

{results.machine}{threads}, torch {torch.__version__}, {plan.precision}{compiled}, version {results.version}.
Made by `python -m Orchestrators.benchmark`; `--help` says what else it measures."""


def _inference_table(results: 'Results') -> str:
    rows = []
    for row in results.inference:
        ours, plain = (spread.median / row.megapixels for spread in (row.seconds.ours, row.seconds.naive))
        rows.append([
            row.decoder.name, f'{row.case[0]}x{row.case[0]}', f'x{row.case[1]:g}', f'{ours:.2f}', f'{plain:.2f}',
            _ratio(row.seconds.ratio), f'{row.difference:.0e}',
        ])  # fmt: skip
    heads = ['Decoder', 'LR', 'Scale', 'Ours, s/MP', 'Plain, s/MP', 'Times as fast', 'Largest difference']
    return (
        'Seconds per megapixel of the result, encoder included. The difference is between colors in [0, 1].\n\n'
        + format_markdown(heads, rows, left_aligned=1)
    )


def _memory_text(results: 'Results') -> str:
    if results.plan.device != 'cpu':
        return 'Largest memory that the allocator held beyond the model and the picture, the result included.'
    return (
        "Largest memory that the process held beyond the model and the picture, the result included: the kernel's peak "
        'of a forked process, on one thread.'
    )


def _memory_table(results: 'Results') -> str:
    rows = [
        [
            row.decoder.name, f'{row.case[0]}x{row.case[0]}', f'x{row.case[1]:g}', _megabytes(row.ours),
            _megabytes(row.naive), f'{row.naive / max(row.ours, 1):.1f}', f'{row.megapixels * 1e6 * 12 / 2**20:.1f}',
        ]
        for row in results.memory
    ]  # fmt: skip
    heads = ['Decoder', 'LR', 'Scale', 'Ours, MB', 'Plain, MB', 'Times as small', 'of which result, MB']
    return format_markdown(heads, rows, left_aligned=1)


def _training_text(results: 'Results') -> str:
    side = results.plan.patch
    return (
        f'{side}x{side} LR patches at scales from 1 to 4, {side**2} scattered queries each; forward, backward and '
        'Adam, encoder included, by the L1 loss (LINF, too, at temperature 0).'
    )


def _training_table(results: 'Results') -> str:
    rows = [
        [
            row.decoder.name, str(row.batch), f'{row.seconds.ours.median:.2f}', f'{row.seconds.naive.median:.2f}',
            _ratio(row.seconds.ratio),
        ]
        for row in results.training
    ]  # fmt: skip
    return format_markdown(['Decoder', 'Batch', 'Ours, s', 'Plain, s', 'Times as fast'], rows, left_aligned=1)


def _loader_text(results: 'Results') -> str:
    rows = [
        [name, f'{spread.median:.0f}', f'{spread.lower:.0f} to {spread.upper:.0f}']
        for name, spread in results.loader.items()
    ]
    return (
        '48x48 LR patches at scales from 1 to 4 with 2304 queries, out of 2040x1356 pictures; one core.\n\n'
        + format_markdown(['Pictures', 'Samples/s', 'Quartiles'], rows, left_aligned=1)
    )


def draw(results: 'Results', path: Path) -> Path | None:
    """Time and memory over the size of the result, a column per decoder; None, with a warning, without matplotlib.

    Memory is that of the smallest LR picture, beyond the result, so that it shows what grows with the scale.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ModuleNotFoundError:
        # A warning, as the measuring before it may have taken hours.
        _LOGGER.warning('%s is not drawn: it needs matplotlib (pip install matplotlib).', path)
        return None
    decoders = list(dict.fromkeys(row.decoder for row in results.memory))
    figure = Figure(figsize=(1.75 * max(len(decoders), 3) + 0.8, 5.2), dpi=150, layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, len(decoders), sharex=True, sharey='row', squeeze=False)
    for column, decoder in enumerate(decoders):
        times = [row for row in results.inference if row.decoder is decoder]
        memory = [row for row in results.memory if row.decoder is decoder]
        memory = [row for row in memory if row.case[0] == min(row.case[0] for row in memory)]
        ours, plain = ([(r.megapixels, s.median) for r in times for s in [r.seconds[side]]] for side in (0, 1))
        _panel(axes[0, column], ours, plain)
        _panel(
            axes[1, column],
            [(row.megapixels, _beyond_result(row.ours, row)) for row in memory],
            [(row.megapixels, _beyond_result(row.naive, row)) for row in memory],
        )
        axes[0, column].set_title(decoder.name)
    axes[0, 0].set_ylabel('time (s)')
    axes[1, 0].set_ylabel('peak memory beyond\nthe result (MB)')
    figure.supxlabel('result (megapixels)', fontsize='medium')
    handles, labels = axes[1, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc='outside upper center', ncols=2, frameon=False)
    figure.savefig(path)
    return path


def _panel(axes: Any, ours: Sequence[tuple[float, float]], plain: Sequence[tuple[float, float]]) -> None:  # noqa: ANN401
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator  # noqa: PLC0415

    if not ours:
        axes.set_axis_off()
        return
    for points, name, color, marker, style in (
        (plain, 'published algorithm, plain', _PLAIN, 's', '--'),
        (ours, 'ours', _OURS, 'o', '-'),
    ):
        across, up = zip(*sorted(points), strict=True)
        axes.plot(across, up, style, color=color, marker=marker, markersize=4, linewidth=1.5, label=name)
    axes.set_xscale('log')
    axes.set_yscale('log')
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=12))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:g}'))
        axis.set_minor_formatter(NullFormatter())
        axis.set_minor_locator(NullLocator())
    axes.tick_params(axis='x', labelrotation=45)
    axes.grid(which='major', color='#e4e4e4', linewidth=0.7)
    axes.spines[['top', 'right']].set_visible(False)


def _beyond_result(count: int, row: 'MemoryRow') -> float:
    return count / 2**20 - row.megapixels * 1e6 * 12 / 2**20


def _ratio(spread: Spread) -> str:
    return f'{spread.median:.2f} ({spread.lower:.2f} to {spread.upper:.2f})'


def _megabytes(count: int) -> str:
    return f'{count / 2**20:.1f}'
