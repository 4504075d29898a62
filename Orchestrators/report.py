"""Write the report of a comparison: `python -m Orchestrators.report results/ --out results/report.html`."""

import argparse
import logging
from pathlib import Path

from Orchestrators.compare import add_arguments, compare_arguments
from Orchestrators.Comparison.crops import crop_rows
from Orchestrators.Comparison.findings import Findings
from Orchestrators.Comparison.page import render_page
from Orchestrators.Comparison.shown_pictures import ShownPictures
from Orchestrators.Comparison.tables import to_latex, to_markdown, write_comparisons
from Utilities.command_line import run_command
from Utilities.files import write_text

_LOGGER = logging.getLogger(__name__)


def write_report(findings: Findings, shown: ShownPictures, out: Path, crops: int) -> list[Path]:
    """Write the page, and beside it `.md` and `.tex` of the same name and `comparison.csv`.

    Args:
        findings: what was compared.
        shown: where pictures come from.
        out: the page's file.
        crops: how many pictures are shown as crops.

    Returns:
        The files written.

    Raises:
        ValueError: if `out` is no `.html` file.
    """
    if out.suffix != '.html':
        raise ValueError(f'--out must end in .html, got {out}.')
    rows, reasons = crop_rows(findings.ranked, findings.scores, shown, crops) if crops else ([], [])
    for reason in reasons:
        _LOGGER.warning('Not shown: %s', reason)
    tables = findings.tables()
    markdown = [to_markdown(table) for table in tables] + ['\n'.join(f'- {line}' for line in findings.notes()) + '\n']
    texts = {
        out: render_page(findings, rows, reasons),
        out.with_suffix('.md'): '\n'.join(markdown),
        out.with_suffix('.tex'): '% \\usepackage{booktabs}\n' + '\n'.join(to_latex(table) for table in tables),
    }
    for path, text in texts.items():
        write_text(path, text)
    comparisons = out.with_name('comparison.csv')
    write_comparisons(comparisons, findings.results)
    return [*texts, comparisons]


def main(arguments: argparse.Namespace) -> None:
    """Write the report that the arguments describe."""
    findings = compare_arguments(arguments)
    shown = ShownPictures(findings.scores, arguments.checkpoints, arguments.pictures)
    for path in write_report(findings, shown, arguments.out, arguments.crops):
        _LOGGER.info('Wrote %s', path)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog='python -m Orchestrators.report', description=__doc__)
    add_arguments(parser)
    parser.add_argument('--out', type=Path, default=Path('results/report.html'), help='default: results/report.html')
    parser.add_argument(
        '--checkpoints',
        type=Path,
        action='append',
        default=[],
        help='folder with checkpoints, to make pictures that testing did not save; may be given again',
    )
    parser.add_argument('--pictures', type=Path, help='folder of the HR pictures of the benchmark BENCHMARK')
    parser.add_argument('--crops', type=int, default=3, help='pictures to show crops of; default: 3')
    return parser.parse_args()


if __name__ == '__main__':
    arguments = _arguments()
    run_command(lambda: main(arguments), show_traceback=arguments.debug)
