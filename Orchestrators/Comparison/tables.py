"""The ranking of a test as a table, and tables as CSV, Markdown and LaTeX."""

import dataclasses
import math
import re
from collections.abc import Sequence
from pathlib import Path

from Orchestrators.Comparison.comparisons import Comparison, Result, Standing
from Orchestrators.Comparison.metrics import Metric
from Orchestrators.Evaluation.result_rows import BICUBIC
from Utilities.reports import MISSING, format_markdown, write_csv

ALPHA = 0.05
_MINUS = '\N{MINUS SIGN}'
_LATEX = {
    '\\': r'\textbackslash{}', '{': r'\{', '}': r'\}', '&': r'\&', '%': r'\%', '$': r'\$', '#': r'\#', '_': r'\_',
    '~': r'\textasciitilde{}', '^': r'\textasciicircum{}', '<': r'\textless{}', '>': r'\textgreater{}',
    '|': r'\textbar{}', _MINUS: '$-$', MISSING: '--',
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of texts. The first two columns are names, the others numbers."""

    title: str
    conditions: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def reference_of(result: Result, baseline: str | None) -> str:
    """The model that differences are taken from: the baseline if it has scores on this test, else the best."""
    names = [standing.model for standing in result.standings]
    return baseline if baseline in names and baseline is not None else names[0]


def ranking(result: Result, others: Sequence[Result], baseline: str | None) -> Table:
    """The models of one test, best first, with their differences from the reference and the other metrics' means."""
    metric, reference = result.metric, reference_of(result, baseline)
    header = (
        '#', 'model', metric.heading, 'seeds', "seeds' range", 'difference', '95 % interval', 'p (Holm)',
        'won/tied/lost', *(other.metric.heading for other in others),
    )  # fmt: skip
    rows = []
    for place, standing in enumerate(result.standings, 1):
        comparison = result.against(standing.model, reference)
        means = [_mean_of(other, standing.model) for other in others]
        cells = ('reference', MISSING, MISSING, MISSING) if standing.model == reference else _cells(comparison, metric)
        rows.append((str(place), standing.model, *_own_cells(standing, metric), *cells, *means))
    return Table(result.test.title, conditions(result), header, tuple(rows))


def conditions(result: Result) -> str:
    """Number of pictures that were compared, and the protocol."""
    left_out = f' ({result.left_out} more lack a finite score of some run)' if result.left_out else ''
    count = len(result.pictures)
    return f'{count} picture{"s" * (count != 1)}{left_out}, {result.test.conditions}'


def is_told_apart(comparison: Comparison) -> bool:
    """Whether the pictures show a difference, all comparisons of the metric considered."""
    return comparison.corrected_p_value < ALPHA


def number(value: float, decimals: int, *, signed: bool = False) -> str:
    """A number with a true minus sign; a dash for one that is missing."""
    if math.isnan(value):
        return MISSING
    return f'{value:{"+" if signed else ""}.{decimals}f}'.replace('-', _MINUS)


def p_value_text(value: float) -> str:
    """Three decimals, or the bound below which it is."""
    return '<0.001' if value < 0.001 else f'{value:.3f}'


def write_comparisons(path: Path, results: Sequence[Result]) -> None:
    """Every comparison as a row of a CSV file, replacing it. What is missing is an empty cell."""
    rows = [_comparison_row(result, comparison) for result in results for comparison in result.comparisons]
    write_csv(path, rows)


def to_markdown(table: Table) -> str:
    """A table as GitHub shows it, with everything in its cells as text."""
    header, *rows = ([_escape_markdown(cell) for cell in cells] for cells in (table.header, *table.rows))
    body = format_markdown(header, rows)
    return f'### {_escape_markdown(table.title)}\n\n{_escape_markdown(table.conditions)}\n\n{body}\n'


def to_latex(table: Table) -> str:
    r"""A table for a paper; needs \usepackage{booktabs}."""
    lines = [' & '.join(escape_latex(cell) for cell in cells) + r' \\' for cells in (table.header, *table.rows)]
    columns = 'rl' + 'r' * (len(table.header) - 2)
    caption = escape_latex(f'{table.title}: {table.conditions}.')
    return '\n'.join(
        [
            r'\begin{table}', r'\centering', rf'\caption{{{caption}}}', rf'\begin{{tabular}}{{{columns}}}', r'\toprule',
            lines[0], r'\midrule', *lines[1:], r'\bottomrule', r'\end{tabular}', r'\end{table}', '',
        ]
    )  # fmt: skip


def escape_latex(text: str) -> str:
    """Text that LaTeX sets as it stands; line breaks become spaces."""
    return ''.join(_LATEX.get(character, character) for character in ' '.join(text.split()))


def _escape_markdown(text: str) -> str:
    return re.sub(r'([\\`*_{}\[\]<>#|~!&])', r'\\\1', ' '.join(text.split())).replace('\\#', '#')


def _own_cells(standing: Standing, metric: Metric) -> tuple[str, str, str]:
    if standing.model == BICUBIC:
        return number(standing.mean, metric.decimals), MISSING, MISSING
    means = standing.seed_means.values()
    several = len(standing.seed_means) > 1
    spread = f'{number(min(means), metric.decimals)} to {number(max(means), metric.decimals)}' if several else MISSING
    return number(standing.mean, metric.decimals), str(len(standing.seed_means)), spread


def _cells(comparison: Comparison | None, metric: Metric) -> tuple[str, str, str, str]:
    if comparison is None:
        return MISSING, MISSING, MISSING, MISSING
    low, high = comparison.interval.low, comparison.interval.high
    interval = ' to '.join(number(bound, metric.decimals, signed=True) for bound in (low, high))
    return (
        number(comparison.difference, metric.decimals, signed=True),
        MISSING if math.isnan(low) else interval,
        p_value_text(comparison.corrected_p_value),
        f'{comparison.better}/{comparison.equal}/{comparison.worse}',
    )


def _mean_of(result: Result, model: str) -> str:
    for standing in result.standings:
        if standing.model == model:
            return number(standing.mean, result.metric.decimals)
    return MISSING


def _comparison_row(result: Result, comparison: Comparison) -> dict[str, object]:
    first, second = (
        next(standing for standing in result.standings if standing.model == model)
        for model in (comparison.first, comparison.second)
    )
    low, high = comparison.seed_range or (None, None)
    return {
        'metric': result.metric.name, 'higher_is_better': result.metric.higher_is_better,
        'benchmark': result.test.benchmark, 'scale': result.test.scale, **dict(result.test.protocol),
        'pictures': len(result.pictures), 'pictures_left_out': result.left_out,
        'first': first.model, 'second': second.model, 'first_mean': first.mean, 'second_mean': second.mean,
        'difference': comparison.difference,
        'interval_low': _finite(comparison.interval.low), 'interval_high': _finite(comparison.interval.high),
        'p_wilcoxon': comparison.p_value, 'p_holm': comparison.corrected_p_value,
        'first_better': comparison.better, 'equal': comparison.equal, 'second_better': comparison.worse,
        'first_seeds': len(first.seed_means), 'second_seeds': len(second.seed_means),
        'first_seed_sd': first.seed_deviation, 'second_seed_sd': second.seed_deviation,
        'seed_difference_low': low, 'seed_difference_high': high,
    }  # fmt: skip


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
