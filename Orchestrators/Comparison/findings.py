"""All that was read, compared and asked for."""

import dataclasses
from collections.abc import Sequence

from Orchestrators.Comparison.comparisons import Result
from Orchestrators.Comparison.notes import notes
from Orchestrators.Comparison.result_files import ResultFiles
from Orchestrators.Comparison.scores import Scores
from Orchestrators.Comparison.tables import Table, ranking


@dataclasses.dataclass(frozen=True)
class Findings:
    """Contents of the report."""

    files: ResultFiles
    scores: Scores
    results: Sequence[Result]
    """Those by the ranking metric first."""

    baseline: str | None
    resamples: int
    seed: int

    @property
    def ranked(self) -> list[Result]:
        """The results by the metric that models are ranked by."""
        return [result for result in self.results if result.metric == self.results[0].metric]

    def of_other_metrics(self, result: Result) -> list[Result]:
        """The results of the same test by other metrics."""
        return [other for other in self.results if other.test == result.test and other.metric != result.metric]

    def tables(self) -> list[Table]:
        """The ranking of each test."""
        return [ranking(result, self.of_other_metrics(result), self.baseline) for result in self.ranked]

    def notes(self) -> list[str]:
        """Notes on the making of the numbers, and on their limits."""
        return notes(self.results, self.baseline, self.resamples, self.seed)
