"""`metrics.csv`: every number of every epoch of a run, over all its restarts."""

import csv
from collections.abc import Mapping
from pathlib import Path

from Utilities.files import replacing

EPOCH = 'epoch'
SAMPLES_SEEN = 'samples_seen'


class MetricsTable:
    """One row per epoch; a number that an epoch lacks is an empty cell.

    The file is written anew with each row: an epoch that is gone through again, as the run was killed before its
    checkpoint or goes on from an earlier one, replaces its row and those behind it.

    Args:
        path: the file; read if it is there.

    Raises:
        ValueError: if it is there and is not such a table.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: list[dict[str, float]] = _read(path) if path.exists() else []

    @property
    def rows(self) -> list[dict[str, float]]:
        """The epochs in order, each with `epoch`, `samples_seen` and the numbers that it has."""
        return list(self._rows)

    def record(self, epoch: int, samples_seen: int, scalars: Mapping[str, float]) -> None:
        """Add the row of an epoch, and write the file, whole or not at all."""
        kept = [row for row in self._rows if row[EPOCH] < epoch]
        self._rows = [*kept, {EPOCH: epoch, SAMPLES_SEEN: samples_seen, **scalars}]
        # A dictionary, as a set would forget the order in which they came.
        columns = list(dict.fromkeys(name for row in self._rows for name in row))
        with replacing(self._path) as temporary, temporary.open('w', encoding='utf-8', newline='') as file:
            writer = csv.DictWriter(file, columns, lineterminator='\n')
            writer.writeheader()
            writer.writerows(self._rows)


def _read(path: Path) -> list[dict[str, float]]:
    try:
        with path.open(encoding='utf-8', newline='') as file:
            reader = csv.DictReader(file)
            if list(reader.fieldnames or ())[:2] != [EPOCH, SAMPLES_SEEN]:
                raise ValueError(f'its first columns are not {EPOCH} and {SAMPLES_SEEN}')
            return [_numbers(row) for row in reader]
    except (ValueError, csv.Error) as error:
        raise ValueError(f'{path} is not the table that this run writes: {error}. Move it away.') from error


def _numbers(row: dict[str, str]) -> dict[str, float]:
    if None in row or not row[EPOCH] or not row[SAMPLES_SEEN]:
        raise ValueError('a row has more cells than columns, or lacks its epoch')
    return {name: int(text) if text.isdecimal() else float(text) for name, text in row.items() if text}
