"""Compare tested models: `python -m Orchestrators.compare results/`."""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from Orchestrators.Comparison.comparisons import Result, compare
from Orchestrators.Comparison.metrics import metrics_of
from Orchestrators.Comparison.notes import console_notes
from Orchestrators.Comparison.result_files import ResultFiles, read_results
from Orchestrators.Comparison.scores import Scores, gather_scores
from Orchestrators.Comparison.tables import ranking, write_comparisons
from Utilities.command_line import run_command
from Utilities.reports import format_table
from Utilities.statistics import RESAMPLES

_LOGGER = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the comparison and the report are told alike."""
    parser.add_argument('results', nargs='+', help='folders that testing wrote to, or <checkpoint>_images.csv files')
    parser.add_argument('--metric', default='PSNR', help='what models are ranked by; default: PSNR')
    parser.add_argument('--baseline', help='model to compare all others with; default: every pair is compared')
    parser.add_argument('--resamples', type=int, default=RESAMPLES, help=f'of the pictures; default: {RESAMPLES}')
    parser.add_argument('--seed', type=int, default=0, help='of the resampling')
    parser.add_argument('--debug', action='store_true', help='show where an error came from')


def compare_arguments(arguments: argparse.Namespace) -> tuple[ResultFiles, Scores, list[Result]]:
    """Read and compare what the arguments name; the results of the ranking metric come first.

    Raises:
        ValueError, OSError: if a table, the metric or the baseline is at fault.
    """
    if not 100 <= arguments.resamples <= 1_000_000:
        raise ValueError(f'--resamples must be from 100 to 1000000, got {arguments.resamples}.')
    files = read_results(arguments.results)
    scores = gather_scores(files.pictures)
    metrics = metrics_of(files.pictures, arguments.metric)
    results = compare(
        scores, metrics, baseline=arguments.baseline, seed=arguments.seed, resamples=arguments.resamples
    )
    return files, scores, results


def of_other_metrics(result: Result, results: Sequence[Result]) -> list[Result]:
    """The results of the same test by other metrics."""
    return [other for other in results if other.test == result.test and other.metric != result.metric]


def main(arguments: argparse.Namespace) -> None:
    """Print a table for each test, and write every comparison."""
    _, _, results = compare_arguments(arguments)
    for result in (result for result in results if result.metric == results[0].metric):
        table = ranking(result, of_other_metrics(result, results), arguments.baseline)
        _LOGGER.info('\n%s: %s\n%s', table.title, table.conditions, format_table(table.header, table.rows))
    _LOGGER.info('\n%s', '\n'.join(console_notes(results, arguments.baseline, arguments.resamples, arguments.seed)))
    write_comparisons(arguments.out, results)
    _LOGGER.info('All comparisons: %s', arguments.out)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog='python -m Orchestrators.compare', description=__doc__)
    add_arguments(parser)
    parser.add_argument(
        '--out', type=Path, default=Path('results/comparison.csv'), help='default: results/comparison.csv'
    )
    return parser.parse_args()


if __name__ == '__main__':
    arguments = _arguments()
    run_command(lambda: main(arguments), show_traceback=arguments.debug)
