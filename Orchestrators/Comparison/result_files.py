"""Reading the tables that testing writes: rows by picture, and rows by benchmark."""

import csv
import dataclasses
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

_LOGGER = logging.getLogger(__name__)

PICTURE_TABLES = '*_images.csv'
_NEEDED = ('method', 'benchmark', 'scale', 'picture')


@dataclasses.dataclass(frozen=True, eq=False)
class Row:
    """One line of a table. What it does not have, or has as an empty cell, is missing; it is never 0."""

    cells: dict[str, str]
    file: Path
    line: int

    def get(self, column: str) -> str:
        """The cell; empty where it is missing."""
        return self.cells.get(column, '')

    def number(self, column: str) -> float | None:
        """The cell as a number; None where it is missing.

        Raises:
            ValueError: naming file, line and column of something else.
        """
        text = self.get(column)
        try:
            return float(text) if text else None
        except ValueError as error:
            raise ValueError(f'{self.file}, line {self.line}: {column} should be a number, got {text!r}.') from error


@dataclasses.dataclass(frozen=True)
class ResultFiles:
    """All that was read."""

    pictures: list[Row]
    """A picture, method and test each."""

    summaries: list[Row]
    """A benchmark, scale, method and test each: costs stand here."""

    files: list[Path]
    """The tables by picture."""


def read_results(entries: Sequence[str | Path]) -> ResultFiles:
    """Read tables, or folders of them with everything below.

    Args:
        entries: folders, `<checkpoint>_images.csv`, or `<checkpoint>.csv`, beside which the other one is looked for.

    Raises:
        FileNotFoundError: if an entry is missing, or there is no table by picture.
        ValueError: for a table that lacks what a comparison needs, naming the columns.
    """
    files = list(dict.fromkeys(file for entry in entries for file in _picture_tables(Path(entry))))
    pictures = [row for file in files for row in _read(file, _NEEDED)]
    beside = [file.with_name(f'{file.stem.removesuffix("_images")}.csv') for file in files]
    summaries = [row for file in beside if file.is_file() for row in _read(file, _NEEDED[:3])]
    if not pictures:
        raise FileNotFoundError(
            f'There are no scores of pictures in {", ".join(map(str, entries))}. Testing writes them as '
            '<checkpoint>_images.csv into its result_path: python test.py'
        )
    return ResultFiles(pictures, summaries, files)


def _picture_tables(entry: Path) -> list[Path]:
    if entry.is_dir():
        return sorted(entry.rglob(PICTURE_TABLES))
    if not entry.is_file():
        raise FileNotFoundError(f'There is no table or folder {entry}.')
    if entry.match(PICTURE_TABLES):
        return [entry]
    beside = entry.with_name(f'{entry.stem}_images.csv')
    if not beside.is_file():
        raise FileNotFoundError(f'{entry} has no scores of single pictures: there is no {beside.name} beside it.')
    return [beside]


def _read(file: Path, needed: Sequence[str]) -> Iterator[Row]:
    with file.open(encoding='utf-8-sig', newline='') as opened:
        reader = csv.DictReader(opened)
        columns = reader.fieldnames or []
        missing = [column for column in needed if column not in columns]
        if missing:
            raise ValueError(f'{file} is no table of test results: it has no column {", ".join(missing)}.')
        for cells in reader:
            if None in cells or None in cells.values():
                _LOGGER.warning('%s, line %d is cut off or too long; it is left out.', file, reader.line_num)
                continue
            yield Row({name: cell.strip() for name, cell in cells.items()}, file, reader.line_num)
