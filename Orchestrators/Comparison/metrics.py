"""Columns of scores and their directions."""

import dataclasses
from collections.abc import Sequence

from Models.Quality.QualityModel import QualityModel
from Models.QualityType import QualityType
from Orchestrators.Evaluation.result_rows import PictureRow
from Utilities.find_class import find_class


@dataclasses.dataclass(frozen=True)
class Metric:
    """A column of scores."""

    name: str
    higher_is_better: bool
    unit: str
    decimals: int

    @property
    def heading(self) -> str:
        """Name and unit."""
        return f'{self.name} ({self.unit})' if self.unit else self.name

    @property
    def direction(self) -> str:
        """The better direction, in words."""
        return 'higher is better' if self.higher_is_better else 'lower is better'


_BESIDE_METRICS = (
    Metric('scale_consistency_db', higher_is_better=True, unit='dB', decimals=2),
    Metric('difference_from_whole', higher_is_better=False, unit='', decimals=6),
    Metric('seconds', higher_is_better=False, unit='s', decimals=3),
)


def metric_named(name: str) -> Metric:
    """A metric's column, or one of those that testing writes beside the metrics.

    Raises:
        ValueError: for a name that is neither.
    """
    for metric in _BESIDE_METRICS:
        if metric.name == name:
            return metric
    if name not in QualityType.__members__:
        known = [*QualityType.__members__, *(metric.name for metric in _BESIDE_METRICS)]
        raise ValueError(f'The metric must be one of {", ".join(known)}, got {name!r}.')
    found: type[QualityModel] = find_class(QualityType[name], 'Models.Quality')
    return Metric(name, found.higher_is_better, found.unit, found.decimals)


def metrics_of(rows: Sequence[PictureRow], first: str) -> list[Metric]:
    """The first metric, then the other metrics that have any score.

    Raises:
        ValueError: if the first one is unknown, or has no score.
    """
    chosen = metric_named(first)
    found = [name for name in QualityType.__members__ if any(row.number(name) is not None for row in rows)]
    if first not in found and not any(row.number(first) is not None for row in rows):
        raise ValueError(f'No picture has a score by {first}. There are: {", ".join(found) or "none"}.')
    return [chosen, *(metric_named(name) for name in found if name != first)]
