"""The result of a validation, and the metrics that decide by it; the same for all kinds of training."""

from typing import NamedTuple


class Metric(NamedTuple):
    """A number that says how good an epoch is."""

    name: str
    unit: str = ''
    decimals: int = 4
    """Decimals that mean something."""

    higher_is_better: bool = True


class Validated(NamedTuple):
    """An epoch's validation."""

    values: tuple[float | None, ...]
    """Of the pipeline's deciding metrics, in their order; None: it has none."""

    scalars: dict[str, float]
    """For the table and the trackers, by name."""

    text: str
    """For the log."""


class ValidationStoppedError(Exception):
    """A stop was asked for between two pictures."""
