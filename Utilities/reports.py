"""Tables: as text for the terminal, as CSV for later."""

import csv
import io
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from Utilities.files import write_text

_LOGGER = logging.getLogger(__name__)

MISSING = '–'


def format_number(value: float | None, decimals: int) -> str:
    """A number for a table; a dash for one that is missing."""
    return MISSING if value is None else f'{value:.{decimals}f}'


def format_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, left_aligned: int = 2) -> str:
    """Aligned columns under a line; the first `left_aligned` start at the left, the others end at the right."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        aligned = [
            cell.ljust(width) if column < left_aligned else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return '  '.join(aligned).rstrip()

    return '\n'.join([line(header), '  '.join('─' * width for width in widths), *map(line, rows)])


def format_markdown(header: Sequence[str], rows: Sequence[Sequence[str]], *, left_aligned: int = 2) -> str:
    """A table as GitHub shows it; cells are Markdown already."""
    ruler = ['---' if column < left_aligned else '---:' for column in range(len(header))]
    return '\n'.join(f'| {" | ".join(cells)} |' for cells in [header, ruler, *rows])


def write_csv(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write rows of the same columns as a CSV file, whole or not at all, replacing it. None is an empty cell."""
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(rows[0]), lineterminator='\n')
        writer.writeheader()
        writer.writerows(rows)
    write_text(path, text.getvalue())


def append_csv(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Append rows to a CSV file, with a header if it is new. None is written as an empty cell.

    Raises:
        ValueError: if the file has other columns; it is left as it is.
    """
    if not rows:
        return
    columns = list(rows[0])
    refuse_other_columns(path, columns)
    path.parent.mkdir(parents=True, exist_ok=True)
    is_new = not path.exists() or path.stat().st_size == 0
    if not is_new:
        _mend_end(path, columns)
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator='\n')
    if is_new:
        writer.writeheader()
    writer.writerows(rows)
    # In one write, so that a run that is killed leaves whole rows.
    with path.open('a', encoding='utf-8', newline='') as file:
        file.write(text.getvalue())


def refuse_other_columns(path: Path, columns: Sequence[str]) -> None:
    """Refuse a CSV file, if it is there, that has other columns.

    Raises:
        ValueError: naming them.
    """
    if not path.exists() or path.stat().st_size == 0:
        return
    with path.open(encoding='utf-8', newline='') as file:
        found = next(csv.reader(file), [])
    if found != list(columns):
        raise ValueError(
            f'{path} has other columns than this version writes: {", ".join(found)}. Move it away; it is left as it is.'
        )


def _mend_end(path: Path, columns: Sequence[str]) -> None:
    """Remove a row that a full disk or a kill has cut off: it would become one with the next; or end the last line."""
    content = path.read_bytes()
    whole, _, rest = content.rpartition(b'\n')
    if not rest:
        return
    if len(next(csv.reader([rest.decode(errors='replace')]))) == len(columns):
        with path.open('ab') as file:
            file.write(b'\n')
        return
    _LOGGER.warning('%s ends in the middle of a row, which is removed: %r', path, rest.decode(errors='replace'))
    os.truncate(path, len(whole) + 1)
