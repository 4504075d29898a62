"""Compare tested models: `python -m Orchestrators.compare results/`."""

import argparse
import logging
from pathlib import Path

from Orchestrators.Comparison.comparisons import compare
from Orchestrators.Comparison.findings import Findings
from Orchestrators.Comparison.metrics import metrics_of
from Orchestrators.Comparison.result_files import read_results
from Orchestrators.Comparison.scores import gather_scores
from Orchestrators.Comparison.statistics import RESAMPLES
from Orchestrators.Comparison.tables import write_comparisons
from Utilities.command_line import run_command
from Utilities.reports import format_table

_LOGGER = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments that the comparison and the report share."""
    parser.add_argument('results', nargs='+', help='folders that testing wrote to, or <checkpoint>_images.csv files')
    parser.add_argument('--metric', default='PSNR', help='what models are ranked by; default: PSNR')
    parser.add_argument('--baseline', help='model to compare all others with; default: every pair is compared')
    parser.add_argument('--resamples', type=int, default=RESAMPLES, help=f'of the pictures; default: {RESAMPLES}')
    parser.add_argument('--seed', type=int, default=0, help='of the resampling')
    parser.add_argument('--debug', action='store_true', help='show where an error came from')


def compare_arguments(arguments: argparse.Namespace) -> Findings:
    """Read and compare what the arguments name.

    Raises:
        ValueError, OSError: if a table, the metric or the baseline is at fault.
    """
    if not 100 <= arguments.resamples <= 1_000_000:
        raise ValueError(f'--resamples must be from 100 to 1000000, got {arguments.resamples}.')
    files = read_results(arguments.results)
    scores = gather_scores(files.pictures)
    results = compare(
        scores,
        metrics_of(files.pictures, arguments.metric),
        baseline=arguments.baseline,
        seed=arguments.seed,
        resamples=arguments.resamples,
    )
    return Findings(files, scores, results, arguments.baseline, arguments.resamples, arguments.seed)


def main(arguments: argparse.Namespace) -> None:
    """Print a table for each test, and write every comparison."""
    findings = compare_arguments(arguments)
    for table in findings.tables():
        _LOGGER.info('\n%s: %s\n%s', table.title, table.conditions, format_table(table.header, table.rows))
    _LOGGER.info('\n%s', '\n'.join(f'- {note}' for note in findings.notes()))
    write_comparisons(arguments.out, findings.results)
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
