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
            rows = [{name: _number(text) for name, text in row.items() if text} for row in csv.DictReader(file)]
    except (ValueError, TypeError, AttributeError, csv.Error) as error:
        raise ValueError(f'{path} is not the table that this run writes: {error}. Move it away.') from error
    if any(EPOCH not in row or SAMPLES_SEEN not in row for row in rows):
        raise ValueError(
            f'{path} is not the table that this run writes: it lacks {EPOCH} or {SAMPLES_SEEN}. Move it away.'
        )
    return rows


def _number(text: str) -> float:
    return int(text) if text.isdecimal() else float(text)
