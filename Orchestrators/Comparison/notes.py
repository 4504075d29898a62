"""Notes on what may be concluded from a comparison, and what not."""

from collections.abc import Sequence

from Configuration.protocols import PUBLISHED
from Orchestrators.Comparison.comparisons import Result
from Orchestrators.Comparison.tables import ALPHA
from Orchestrators.Evaluation.result_rows import BICUBIC

FEW_PICTURES = 20
"""Below this, intervals of skewed differences were measured to cover 88 to 92 % instead of 95."""

SMALLEST_TESTABLE = 6
"""With fewer pictures the signed-rank test can not come below 0.05: 5 give 2 / 2^5 at best."""


def notes(results: Sequence[Result], baseline: str | None, resamples: int, seed: int) -> list[str]:
    """Notes on the making of the numbers, and on their limits, for the results that are shown."""
    metric = results[0].metric
    family = sum(len(result.comparisons) for result in results if result.metric == metric)
    against = 'the best model of each table' if baseline is None else baseline
    pairs = 'every pair of models' if baseline is None else f'{baseline} and each other model'
    found = [
        f'Rows are compared only within one benchmark, scale and protocol. {metric.heading}: {metric.direction}.',
        f'Difference: mean over the pictures of model minus reference, which is {against}. A model with several seeds '
        'has the mean of its seeds as score of a picture.',
        f'95 % interval: expanded percentile bootstrap, {resamples} resamples of the pictures, seed {seed}. Each '
        'interval stands for itself; no correction for their number.',
        f"p: Wilcoxon's signed-rank test over pictures, two-sided, zeros by Pratt; corrected by Holm over all {family} "
        f'comparisons by {metric.name} made here ({pairs}, on every benchmark, scale and protocol). Below {ALPHA} a '
        'difference counts as shown.',
        'Won/tied/lost: pictures on which the model is better than, equal to and worse than the reference.',
        'Intervals and p speak of other pictures of this kind, for these trained weights. What another training would '
        "give, only the seeds' range shows.",
    ]
    return found + _protocols(results) + _warnings(results)


def _protocols(results: Sequence[Result]) -> list[str]:
    """Fields behind the names of the published protocols; others' stand at each table."""
    tests = [result.test for result in results]
    names = dict.fromkeys(test.cells['protocol'] for test in tests if len(test.cells) < len(test.protocol))
    return [f'Protocol {name}: {PUBLISHED[name].describe()}.' for name in names]


def _warnings(results: Sequence[Result]) -> list[str]:
    found = []
    standings = [standing for result in results for standing in result.standings if standing.model != BICUBIC]
    if any(len(standing.seed_means) == 1 for standing in standings):
        found.append(
            'One seed: a model that was trained once may owe its place to chance; how far its score would move with '
            'another seed can not be told from these tables.'
        )
    protocols = {result.test.protocol[0] for result in results}
    if len(protocols) > 1:
        found.append('There are several protocols. Their tables stand apart, and numbers must not be compared across.')
    few = dict.fromkeys(
        f'{result.test.benchmark} ({len(result.pictures)})' for result in results if len(result.pictures) < FEW_PICTURES
    )
    if few:
        found.append(
            f'Few pictures: {", ".join(few)}. Intervals are then somewhat narrow (measured: 88 to 95 % instead of 95), '
            f'and below {SMALLEST_TESTABLE} pictures no difference, however clear, can reach p < {ALPHA}.'
        )
    return found
