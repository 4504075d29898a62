"""Means, and differences with what they are worth."""

import dataclasses
import itertools
import logging
import math
import statistics
from collections.abc import Mapping, Sequence

import numpy as np

from Orchestrators.Comparison.metrics import Metric
from Orchestrators.Comparison.scores import Run, Scores, Test
from Orchestrators.Comparison.statistics import RESAMPLES, Interval, Values, bootstrap_intervals, holm, wilcoxon_p_value
from Orchestrators.Evaluation.result_rows import PictureRow

_LOGGER = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Standing:
    """A model on one test."""

    model: str
    mean: float
    """Over pictures and seeds."""

    seed_means: Mapping[str, float]
    """The mean over pictures of each run."""

    @property
    def seed_deviation(self) -> float | None:
        """Standard deviation between seeds, with divisor n - 1; None with one seed, which can't tell."""
        return statistics.stdev(self.seed_means.values()) if len(self.seed_means) > 1 else None


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Two models on one test, in scores of one metric."""

    first: str
    second: str
    difference: float
    """Mean of first - second over the pictures, each model's score being its mean over seeds."""

    interval: Interval
    """Of the difference, by resampling pictures."""

    p_value: float
    corrected_p_value: float
    """By Holm over all comparisons of the metric that were made together."""

    better: int
    """Pictures on which the first is better."""

    equal: int
    worse: int
    seed_range: tuple[float, float] | None
    """Smallest and largest difference between a seed of the first and a seed of the second; None if both have one."""

    def reversed(self) -> 'Comparison':
        """The same, as second - first."""
        seeds = self.seed_range
        return dataclasses.replace(
            self,
            first=self.second,
            second=self.first,
            difference=-self.difference,
            interval=Interval(-self.interval.high, -self.interval.low),
            better=self.worse,
            worse=self.better,
            seed_range=None if seeds is None else (-seeds[1], -seeds[0]),
        )


@dataclasses.dataclass(frozen=True)
class Result:
    """All models on one test, in scores of one metric."""

    test: Test
    metric: Metric
    pictures: tuple[str, ...]
    """Those for which every run of every model has a finite score."""

    left_out: int
    """Pictures that some run has no finite score for."""

    standings: tuple[Standing, ...]
    """Best first."""

    comparisons: tuple[Comparison, ...]

    def against(self, model: str, reference: str) -> Comparison | None:
        """The comparison of two models, as model - reference; None if it was not made."""
        for comparison in self.comparisons:
            if (comparison.first, comparison.second) == (model, reference):
                return comparison
            if (comparison.first, comparison.second) == (reference, model):
                return comparison.reversed()
        return None


@dataclasses.dataclass(frozen=True)
class _Table:
    """The finite scores of one test, by run and picture."""

    pictures: tuple[str, ...]
    left_out: int
    runs: Mapping[str, Mapping[Run, Values]]


def compare(
    scores: Scores,
    metrics: Sequence[Metric],
    *,
    baseline: str | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> list[Result]:
    """Compare models test by test, metric by metric.

    Args:
        scores: from `gather_scores`.
        metrics: which scores.
        baseline: a model's name, against which all others are compared. None: every pair of models is.
        seed: of the resampling.
        resamples: of the pictures.

    Raises:
        ValueError: if there is no model of the baseline's name, or nothing to compare by the first metric.
    """
    if baseline is not None and baseline not in scores.runs:
        raise ValueError(f'There is no model {baseline!r} to compare with. There are: {", ".join(scores.runs)}.')
    results = []
    for metric in metrics:
        of_metric = [_compare_one(test, scores, metric, baseline, seed, resamples) for test in scores.tests]
        results += _corrected([result for result in of_metric if result.standings])
        for result in of_metric:
            if not result.standings and result.left_out:
                _LOGGER.warning(
                    '%s: no picture has a finite %s of every run of every model; there is no table of it.',
                    result.test.title, metric.name,
                )  # fmt: skip
    if not any(result.metric == metrics[0] for result in results):
        raise ValueError(f'There is no picture that every model of a test has a finite {metrics[0].name} of.')
    return results


def _compare_one(test: Test, scores: Scores, metric: Metric, baseline: str | None, seed: int, resamples: int) -> Result:
    table = _tabulate(scores.tests[test], metric)
    means = {model: np.mean(list(runs.values()), axis=0) for model, runs in table.runs.items()}
    standings = [
        Standing(model, float(means[model].mean()), {run.name: float(values.mean()) for run, values in runs.items()})
        for model, runs in table.runs.items()
        if table.pictures
    ]
    sign = 1 if metric.higher_is_better else -1
    standings.sort(key=lambda standing: (-sign * standing.mean, standing.model))
    by_name = {standing.model: standing for standing in standings}
    pairs = [
        (first, second)
        for first, second in itertools.combinations(by_name, 2)
        if baseline is None or baseline in (first, second)
    ]
    pairs = [(second, first) if first == baseline else (first, second) for first, second in pairs]
    comparisons: list[Comparison] = []
    if pairs:
        differences = np.stack([means[first] - means[second] for first, second in pairs], axis=1)
        intervals = bootstrap_intervals(differences, seed=seed, resamples=resamples)
        comparisons = [
            _comparison(by_name[first], by_name[second], differences[:, column], intervals[column], sign)
            for column, (first, second) in enumerate(pairs)
        ]
    return Result(test, metric, table.pictures, table.left_out, tuple(standings), tuple(comparisons))


def _tabulate(models: Mapping[str, Mapping[Run, Mapping[str, PictureRow]]], metric: Metric) -> _Table:
    finite: dict[tuple[str, Run], dict[str, float]] = {}
    seen: dict[str, None] = {}
    for model, runs in models.items():
        for run, rows in runs.items():
            values = {picture: row.number(metric.name) for picture, row in rows.items()}
            seen |= dict.fromkeys(values)
            # A run without any score was made with other metrics: it is not in this table, and takes no picture away.
            if any(value is not None for value in values.values()):
                finite[model, run] = {
                    name: value for name, value in values.items() if value is not None and math.isfinite(value)
                }
    pictures = tuple(name for name in seen if finite and all(name in values for values in finite.values()))
    table: dict[str, dict[Run, Values]] = {}
    for (model, run), by_picture in finite.items():
        table.setdefault(model, {})[run] = np.array([by_picture[name] for name in pictures], dtype=np.float64)
    return _Table(pictures, len(seen) - len(pictures) if finite else 0, table)


def _comparison(first: Standing, second: Standing, differences: Values, interval: Interval, sign: int) -> Comparison:
    # As in the signed-rank test, what is below the tenth decimal is rounding.
    rounded = sign * np.round(differences, 10)
    p_value = wilcoxon_p_value(differences)
    ones, others = list(first.seed_means.values()), list(second.seed_means.values())
    several = len(ones) > 1 or len(others) > 1
    return Comparison(
        first=first.model,
        second=second.model,
        difference=float(differences.mean()),
        interval=interval,
        p_value=p_value,
        corrected_p_value=p_value,
        better=int((rounded > 0).sum()),
        equal=int((rounded == 0).sum()),
        worse=int((rounded < 0).sum()),
        seed_range=(min(ones) - max(others), max(ones) - min(others)) if several else None,
    )


def _corrected(results: Sequence[Result]) -> list[Result]:
    """The results of one metric, whose comparisons are one family."""
    corrected = iter(holm([comparison.p_value for result in results for comparison in result.comparisons]))
    return [
        dataclasses.replace(
            result,
            comparisons=tuple(
                dataclasses.replace(comparison, corrected_p_value=next(corrected)) for comparison in result.comparisons
            ),
        )
        for result in results
    ]
