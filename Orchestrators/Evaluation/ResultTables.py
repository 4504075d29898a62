"""The two tables of a checkpoint."""

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from Configuration.protocols import Protocol
from Orchestrators.Evaluation.result_rows import PictureRow, SummaryRow, read_rows
from Utilities.reports import append_csv, refuse_other_columns

_LOGGER = logging.getLogger(__name__)


class ResultTables:
    """`<checkpoint>.csv`, a row for each benchmark, scale and method, and `<checkpoint>_images.csv`, for each picture.

    Rows are appended as soon as they are known, so that a test that stops leaves what it has found, and goes on there.

    Args:
        folder: where they are; nothing is written before the first row.
        stem: the checkpoint's name.

    Raises:
        ValueError: if a table that is there has other columns.
    """

    def __init__(self, folder: Path, stem: str) -> None:
        self.summaries = folder / f'{stem}.csv'
        self.pictures = folder / f'{stem}_images.csv'
        self._found: list[SummaryRow] = []
        self._found_pictures: Counter[tuple[str, ...]] = Counter()
        if self.summaries.exists():
            refuse_other_columns(self.summaries, SummaryRow.columns())
            self._found = list(read_rows(SummaryRow, self.summaries))
        if self.pictures.exists():
            refuse_other_columns(self.pictures, PictureRow.columns())
            rows = read_rows(PictureRow, self.pictures)
            self._found_pictures.update((*row.question(), row.text('picture')) for row in rows)

    def refuse_other_protocol(self, protocol: Protocol) -> None:
        """Refuse a protocol under whose name there are rows that were compared differently.

        Raises:
            ValueError: with both descriptions.
        """
        for row in self._found:
            found = row.protocol_fields
            if row.protocol == protocol.name and found and found != protocol.describe():
                raise ValueError(
                    f'{self.summaries} has rows of another protocol {protocol.name!r}: {found}. This one is '
                    f'{protocol.describe()}. Give it a name of its own.'
                )

    def answers(self, asked: Sequence[SummaryRow]) -> list[SummaryRow | None]:
        """The rows that are there already, where a test of these was stopped; None where one is to be measured.

        If all are there equally often, the last test came through, and this one measures them all anew.

        Args:
            asked: rows with everything but what is to be measured.
        """
        counts = Counter(map(_question_of, self._found))
        least = min((counts[_question_of(row)] for row in asked), default=0)
        latest = {_question_of(row): row for row in self._found}
        return [latest[question] if counts[question] > least else None for question in map(_question_of, asked)]

    def append(self, row: SummaryRow, pictures: Sequence[PictureRow]) -> None:
        """Write a row and those of its pictures; these first, so that a row says that all of its pictures are there."""
        question = row.question()
        earlier = sum(found.question() == question for found in self._found)
        missing = [one for one in pictures if self._found_pictures[*question, one.text('picture')] <= earlier]
        append_csv(self.pictures, [one.cells() for one in missing])
        append_csv(self.summaries, [row.cells()])
        self._found.append(row)
        self._found_pictures.update((*question, one.text('picture')) for one in missing)


def _question_of(row: SummaryRow) -> tuple[str, ...]:
    return (*row.question(), row.text('cost_lr_size'))
