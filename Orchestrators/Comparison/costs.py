"""Costs of models, as far as the tables say."""

import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence

from Orchestrators.Comparison.comparisons import Result
from Orchestrators.Comparison.figures import CostPoint, Figure, Style, score_against_cost
from Orchestrators.Comparison.scores import Scores, Test, label_of, test_of
from Orchestrators.Evaluation.result_rows import SummaryRow

_KNOWN = {
    'parameters': 'parameters',
    'multiply_adds': 'multiply-adds',
    'seconds_per_picture': 'seconds per picture (wall clock, as tested)',
    'latency_median_seconds': 'latency, median (s)',
    'peak_memory_bytes': 'peak memory (bytes)',
}


def cost_columns(summaries: Sequence[SummaryRow]) -> list[str]:
    """The columns of costs that hold any number."""
    return [name for name in _KNOWN if any(row.number(name) is not None for row in summaries)]


def shown_result(results: Sequence[Result]) -> Result:
    """The test that costs are shown on: with the most models, then the most pictures, then nearest to x4."""
    return max(
        results,
        key=lambda result: (len(result.standings), len(result.pictures), -abs(result.test.mean_scale - 4)),
    )


def cost_figures(
    result: Result, scores: Scores, summaries: Sequence[SummaryRow], styles: Mapping[str, Style]
) -> list[Figure]:
    """A figure for each cost that at least two models state."""
    means = {standing.model: standing.mean for standing in result.standings}
    figures = []
    for column in cost_columns(summaries):
        costs = _costs_by_model(result.test, scores, summaries, column)
        points = [CostPoint(model, cost, means[model]) for model, cost in costs.items() if model in means]
        if len(points) > 1:
            figures.append(score_against_cost(points, styles, _KNOWN[column], result.metric.heading, result.test.title))
    return figures


def _costs_by_model(test: Test, scores: Scores, summaries: Sequence[SummaryRow], column: str) -> dict[str, float]:
    """The latest row's cost of each run, as a mean over a model's runs."""
    latest: dict[tuple[str, str], SummaryRow] = {}
    for row in summaries:
        model = label_of(scores, row)
        if test_of(row) == test and model is not None and row.number(column) is not None:
            key = (model, row.text('checkpoint_sha256'))
            if key not in latest or row.text('time') >= latest[key].text('time'):
                latest[key] = row
    found: dict[str, list[float]] = defaultdict(list)
    for (model, _), row in latest.items():
        cost = row.number(column)
        if cost is not None:
            found[model].append(cost)
    return {model: statistics.mean(values) for model, values in found.items()}
