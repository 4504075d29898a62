"""Reading the tables that testing writes: rows by picture, and rows by benchmark."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from Orchestrators.Evaluation.result_rows import PictureRow, SummaryRow, read_rows

PICTURE_TABLES = '*_images.csv'
_NEEDED = ('method', 'benchmark', 'scale', 'picture')


@dataclasses.dataclass(frozen=True)
class ResultFiles:
    """All that was read."""

    pictures: list[PictureRow]
    """A picture, method and test each."""

    summaries: list[SummaryRow]
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
    pictures = [row for file in files for row in read_rows(PictureRow, file, _NEEDED)]
    beside = [file.with_name(f'{file.stem.removesuffix("_images")}.csv') for file in files]
    summaries = [row for file in beside if file.is_file() for row in read_rows(SummaryRow, file, _NEEDED[:3])]
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
