"""Rows of the result tables: what testing writes, and comparisons read."""

import csv
import dataclasses
import logging
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from Models.QualityType import QualityType
from Orchestrators.Evaluation.evaluation import Evaluated, mean_of, mean_scores, not_finite

_LOGGER = logging.getLogger(__name__)

Cell = str | int | float | None
Row = TypeVar('Row', 'SummaryRow', 'PictureRow')


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ResultRow:
    """A method on a benchmark at a scale. Fields are columns, in their order; None is an empty cell, never 0."""

    time: str | None = None
    """When the test was started, in UTC."""

    encoder: str | None = None
    decoder: str | None = None
    recipe: str | None = None
    input_patch: int | None = None
    scale_range: str | None = None
    checkpoint: str | None = None
    """Name of the file."""

    checkpoint_sha256: str | None = None
    """First 16 digits of the hash of the weights."""

    epoch: int | None = None
    samples_seen: int | None = None
    seed: int | None = None
    strategy: str | None = None
    exactness: str | None = None
    """`exact`, or `approximate` if any picture was."""

    difference_from_whole: float | None = None
    breakdown_patch_size: int | None = None
    overlap: int | None = None
    max_memory: int | None = None
    self_ensemble: int | None = None
    metrics: str | None = None
    """Names of the metrics that were asked for and could be had."""

    protocol: str | None = None
    protocol_fields: str | None = None
    eval_size: str | None = None
    device: str | None = None
    code_version: str | None = None
    torch_version: str | None = None
    method: str | None = None
    benchmark: str | None = None
    scale: float | str | None = None
    """A number, or `2x3.5`: horizontal first."""

    lr: str | None = None
    """`files`, or the reduction that made the LR pictures."""

    color: str | None = None
    border_px: int | None = None
    pictures_sha256: str | None = None
    """First 16 digits of a hash over names and contents of the HR and LR files."""

    file: Path | None = None
    """The table that it was read from; no column."""

    @property
    def pictures_folder(self) -> Path:
        """Folder of its pictures within that of the table: `<checkpoint>/Set5_x2x3.5_to_300x200_thera`."""
        size = f'_to_{self.eval_size}' if self.eval_size else ''
        protocol = f'_{self.protocol}' if self.protocol and self.protocol != 'liif' else ''
        return Path(Path(self.text('checkpoint')).stem) / f'{self.benchmark}_x{self.scale_text}{size}{protocol}'

    @property
    def scale_text(self) -> str:
        """`2`, `2.7` or `2x3.5`."""
        return self.text('scale') if isinstance(self.scale, str) else f'{self.scale or 0:g}'

    @classmethod
    def columns(cls) -> list[str]:
        """Names of the columns; a metric has one, whether it was asked for or not."""
        names: list[str] = []
        for field in dataclasses.fields(cls):
            names += [] if field.name == 'file' else QualityType.__members__ if field.name == 'scores' else [field.name]
        return names

    def cells(self) -> dict[str, Cell]:
        """The row by column."""
        return {column: self.value(column) for column in self.columns()}

    def value(self, column: str) -> Cell:
        """A cell, where which one is a matter of data, as the metric that models are ranked by."""
        if column in QualityType.__members__:
            return getattr(self, 'scores', {}).get(QualityType[column])
        return getattr(self, column)

    def number(self, column: str) -> float | None:
        """A cell that is a number."""
        value = self.value(column)
        assert not isinstance(value, str)
        return value

    def text(self, column: str) -> str:
        """A cell as text: empty where it is missing, whole numbers without a decimal point."""
        value = self.value(column)
        if isinstance(value, float) and value.is_integer():
            return str(int(value))
        return '' if value is None else str(value)

    def question(self) -> tuple[str, ...]:
        """All that was settled before anything was measured: rows that share it answer the same question."""
        return tuple(self.text(column) for column in ResultRow.columns() if column not in _ANSWERS)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class SummaryRow(ResultRow):
    """Means over the pictures of a benchmark, and what the network costs."""

    pictures: int | None = None
    """Number of pictures."""

    scores: Mapping[QualityType, float | None] = dataclasses.field(default_factory=dict)
    scale_consistency_db: float | None = None
    not_finite: str = ''
    seconds_per_picture: float | None = None
    cost_lr_size: str | None = None
    parameters: int | None = None
    multiply_adds: int | None = None
    latency_median_seconds: float | None = None
    latency_q1_seconds: float | None = None
    latency_q3_seconds: float | None = None
    peak_memory_bytes: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class PictureRow(ResultRow):
    """The scores of one picture."""

    picture: str | None = None
    """Name of the HR file without its ending."""

    scores: Mapping[QualityType, float | None] = dataclasses.field(default_factory=dict)
    scale_consistency_db: float | None = None
    seconds: float | None = None


BICUBIC = 'bicubic'
"""The method that every table has beside the networks."""

_ANSWERS = ('time', 'exactness', 'difference_from_whole')


def summary_of(results: Sequence[Evaluated]) -> dict[str, Any]:
    """The fields of a `SummaryRow` that the pictures' results make."""
    is_exact = all(result.exactness == 'exact' for result in results)
    differences = (result.difference_from_whole for result in results)
    return {
        'exactness': 'exact' if is_exact else 'approximate',
        'difference_from_whole': next((value for value in differences if value is not None), None),
        'scores': mean_scores(results),
        'scale_consistency_db': mean_of([result.scale_consistency_db for result in results]),
        'not_finite': not_finite(results),
        'seconds_per_picture': round(sum(result.seconds for result in results) / len(results), 4),
    }


def picture_row(row: SummaryRow, result: Evaluated) -> PictureRow:
    """The row of one of the pictures that a row is a mean over."""
    shared = {column: row.value(column) for column in ResultRow.columns()}
    return PictureRow(
        **shared  # type: ignore[arg-type]
        | {
            'exactness': result.exactness,
            'difference_from_whole': result.difference_from_whole,
            'picture': result.name,
            'scores': result.scores,
            'scale_consistency_db': result.scale_consistency_db,
            'seconds': round(result.seconds, 4),
        }
    )


def read_rows(kind: type[Row], file: Path, needed: Sequence[str] = ()) -> Iterator[Row]:
    """The rows of a table; one that is cut off or too long is left out with a warning.

    Args:
        kind: of rows by benchmark or by picture.
        file: the table.
        needed: columns that it must have.

    Raises:
        ValueError: if it lacks one, or a cell should be a number and is not.
    """
    with file.open(encoding='utf-8-sig', newline='') as opened:
        reader = csv.DictReader(opened)
        columns = reader.fieldnames or []
        missing = [column for column in needed if column not in columns]
        if missing:
            raise ValueError(f'{file} is no table of test results: it has no column {", ".join(missing)}.')
        kinds = _kinds_of(kind)
        for cells in reader:
            if None in cells or None in cells.values():
                _LOGGER.warning('%s, line %d is cut off or too long; it is left out.', file, reader.line_num)
                continue
            yield _read_row(kind, kinds, {name: cell.strip() for name, cell in cells.items()}, file, reader.line_num)


def _read_row(
    kind: type[Row], kinds: Mapping[str, tuple[type, ...]], cells: Mapping[str, str], file: Path, line: int
) -> Row:
    try:
        values = {column: _parse(column, text, kinds[column]) for column, text in cells.items() if column in kinds}
    except ValueError as error:
        raise ValueError(f'{file}, line {line}: {error}') from error
    scores = {QualityType[column]: values.pop(column) for column in QualityType.__members__ if column in values}
    return kind(**values, scores=scores, file=file)  # type: ignore[arg-type]


def _kinds_of(row: type[ResultRow]) -> dict[str, tuple[type, ...]]:
    """Types of the cells of each column; none for a text that may be empty but not missing."""
    hints = typing.get_type_hints(row)
    return {
        column: (float,) if column in QualityType.__members__ else typing.get_args(hints[column])
        for column in row.columns()
    }


def _parse(column: str, text: str, kinds: tuple[type, ...]) -> Cell:
    if float not in kinds and int not in kinds:
        return text if text or not kinds else None
    if not text:
        return None
    try:
        return float(text) if float in kinds else int(text)
    except ValueError:
        if str in kinds:
            return text
        raise ValueError(f'{column} should be a number, got {text!r}.') from None
