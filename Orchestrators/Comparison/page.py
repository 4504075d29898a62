"""The report as one HTML file that needs neither network nor scripts."""

import dataclasses
import datetime
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from Orchestrators.Comparison import figures
from Orchestrators.Comparison.comparisons import Result
from Orchestrators.Comparison.costs import cost_figures, shown_result
from Orchestrators.Comparison.crops import CropRow
from Orchestrators.Comparison.figures import Figure, Style
from Orchestrators.Comparison.findings import Findings
from Orchestrators.Comparison.notes import SMALLEST_TESTABLE
from Orchestrators.Comparison.scores import Scores
from Orchestrators.Comparison.tables import Table, is_told_apart, number, reference_of
from Orchestrators.Evaluation.result_rows import BICUBIC
from Utilities.reports import MISSING
from Utilities.version import code_version

_TEMPLATE = Path(__file__).with_name('report_template.html')
_IDENTITY = (
    ('model', None), ('run', None), ('checkpoint', 'checkpoint'), ('weights', 'checkpoint_sha256'), ('epoch', 'epoch'),
    ('samples seen', 'samples_seen'), ('strategy', 'strategy'), ('tested (UTC)', 'time'), ('device', 'device'),
    ('code', 'code_version'), ('torch', 'torch_version'),
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class _Section:
    """A test of the report."""

    anchor: str
    table: Table
    figure: Figure | None
    """None where there are no two models to compare."""

    reference: str


def render_page(findings: Findings, crops: Sequence[CropRow], crop_reasons: Sequence[str]) -> str:
    """The page's text.

    Args:
        findings: what was compared.
        crops: pictures, if they could be had.
        crop_reasons: why others could not.
    """
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415  optional

    ranked = findings.ranked
    styles = figures.styles_of(list(findings.scores.runs))
    cost_result = shown_result(ranked)
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_TEMPLATE.read_text(encoding='utf-8')).render(
        made=datetime.datetime.now(datetime.UTC).strftime('%Y-%m-%d %H:%M UTC'),
        code=code_version(),
        metric=ranked[0].metric,
        baseline=findings.baseline,
        facts=_facts(findings),
        summary=_summary(ranked, findings.baseline),
        styles=styles,
        sections=list(_sections(findings, styles)),
        scale_figures=_scale_figures(ranked, styles),
        cost_figures=cost_figures(cost_result, findings.scores, findings.files.summaries, styles),
        cost_test=cost_result.test.title,
        crops=crops,
        crop_reasons=crop_reasons,
        identity=_identity(findings.scores),
        notes=findings.notes(),
    )


def _sections(findings: Findings, styles: Mapping[str, Style]) -> Iterable[_Section]:
    for place, (result, table) in enumerate(zip(findings.ranked, findings.tables(), strict=True), 1):
        networks = [standing for standing in result.standings if standing.model != BICUBIC]
        figure = figures.differences(result, styles, findings.baseline) if len(networks) > 1 else None
        yield _Section(f'test-{place}', table, figure, reference_of(result, findings.baseline))


def _summary(ranked: Sequence[Result], baseline: str | None) -> list[dict[str, str]]:
    """The best model of each test, and those that the pictures do not tell from the reference."""
    lines = []
    for place, result in enumerate(ranked, 1):
        best = result.standings[0]
        reference = reference_of(result, baseline)
        compared = {standing.model: result.against(standing.model, reference) for standing in result.standings}
        close = [model for model, found in compared.items() if found is not None and not is_told_apart(found)]
        told = ', '.join(close) or ('none' if any(compared.values()) else MISSING)
        if len(result.pictures) < SMALLEST_TESTABLE:
            told = f'{len(result.pictures)} pictures are too few to tell any apart'
        lines.append(
            {
                'anchor': f'test-{place}',
                'test': result.test.title,
                'pictures': str(len(result.pictures)),
                'best': best.model,
                'score': number(best.mean, result.metric.decimals),
                'close': told,
            }
        )
    return lines


def _scale_figures(ranked: Sequence[Result], styles: Mapping[str, Style]) -> list[tuple[str, Figure]]:
    """A figure for each benchmark and protocol with several scales. Borders grow with the scale and do not count."""
    groups: dict[tuple[str, str], list[Result]] = {}
    for result in ranked:
        cells = result.test.cells
        remark = ', '.join(f'{name} {cells[name]}' for name in cells if name not in ('border_px', 'lr') and cells[name])
        groups.setdefault((result.test.benchmark, remark), []).append(result)
    has_bicubic = any(standing.model == BICUBIC for result in ranked for standing in result.standings)
    return [
        (f'{benchmark} ({remark})', figures.score_over_scale(results, styles, over_bicubic=over_bicubic))
        for (benchmark, remark), results in groups.items()
        if len({result.test.mean_scale for result in results}) > 1
        for over_bicubic in ((False, True) if has_bicubic else (False,))
    ]


def _facts(findings: Findings) -> list[tuple[str, str]]:
    rows = findings.files.pictures
    networks = [model for model in findings.scores.runs if model != BICUBIC]
    runs = sum(len(findings.scores.runs[model]) for model in networks)

    def distinct(column: str) -> str:
        return ', '.join(sorted({row.text(column) for row in rows} - {''})) or 'not stated'

    return [
        ('Models', f'{len(networks)}, from {runs} trained network{"s" * (runs != 1)}'),
        ('Benchmarks', distinct('benchmark')),
        ('Protocols', distinct('protocol')),
        ('Tested by code', distinct('code_version')),
        ('Tested on', distinct('device')),
        ('Tested', _period([row.time for row in rows if row.time])),
    ]


def _period(times: Sequence[str]) -> str:
    if not times:
        return 'not stated'
    first, last = (time[:16].replace('T', ' ') for time in (min(times), max(times)))
    return f'{first} UTC' if first == last else f'{first} to {last} UTC'


def _identity(scores: Scores) -> tuple[list[str], list[list[str]]]:
    """The checkpoints behind the numbers."""
    lines = [
        [model, run.name] + [run.latest.text(column) or MISSING for _, column in _IDENTITY if column is not None]
        for model, runs in scores.runs.items()
        if model != BICUBIC
        for run in runs
    ]
    return [heading for heading, _ in _IDENTITY], lines
