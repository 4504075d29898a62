"""What a run tells about itself, epoch by epoch: the table, its curves, the log's line, the trackers."""

import csv
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from Orchestrators.Training.curves import EPOCH, SAMPLES_SEEN, Curve, Panel, draw_curves
from Orchestrators.Training.Pace import Pace, decibels_of
from Orchestrators.Training.Progress import Progress
from Orchestrators.Training.Run import Run
from Orchestrators.Training.Validated import Validated
from Utilities.files import replacing

_LOGGER = logging.getLogger(__name__)
_RATE = 'train/learning_rate'
_SPEED = 'train/samples_per_second'
_SHARE = 'train/loader_share'


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


class TrainingRecord:
    """The numbers of each epoch, kept and shown.

    Args:
        run: where it happens.
        title: what is trained, above the curves.
        epochs: of the whole run.
        panels: the curves to draw, given the best epoch; None: none are drawn.

    Raises:
        ValueError: if the run's folder holds a `metrics.csv` of another kind.
    """

    def __init__(
        self, run: Run, title: str, epochs: int, panels: Callable[[int | None], list[Panel]] | None = None
    ) -> None:
        self._run = run
        self._title = title
        self._epochs = epochs
        self._panels = panels
        self._table = MetricsTable(run.folder / 'metrics.csv')

    def keep(self, epoch: int, samples_seen: int, scalars: Mapping[str, float]) -> None:
        """Write an epoch's numbers down. Before its checkpoint: an epoch that is saved is not gone through again."""
        self._table.record(epoch, samples_seen, scalars)

    def show(
        self, progress: Progress, scalars: Mapping[str, float], result: Validated | None, *, is_best: bool
    ) -> None:
        """Log an epoch that is finished, and show it wherever the recipe says."""
        message = f'Epoch {progress.epoch}/{self._epochs}: {self._describe(scalars)}'
        message += f', {progress.samples_seen:,} samples seen'
        if _SPEED in scalars:
            message += f' ({scalars[_SPEED]:.3g}/s, data {100 * scalars[_SHARE]:.0f} %)'
        message += f', rate {scalars[_RATE]:.3g}'
        if result is not None:
            message += f' | validation {result.text}{" (best)" if is_best else ""}'
        _LOGGER.info(message)
        self._run.trackers.add_scalars(scalars, progress.samples_seen)
        if result is not None and self._panels is not None:
            self._draw(self._panels(progress.best_epoch or None))

    def _describe(self, scalars: Mapping[str, float]) -> str:
        names = {name.removeprefix('train/'): value for name, value in scalars.items() if name.startswith('train/')}
        terms = {
            name: value
            for name, value in names.items()
            if name not in _NOT_TERMS and not name.startswith('learning_rate')
        }
        parts = [f'loss {names["loss"]:.4f}']
        if len(terms) > 1:
            parts += [f'{name} {value:.4g}' for name, value in terms.items()]
        if 'psnr' in names:
            parts.append(f'PSNR {names["psnr"]:.2f} dB')
        return ', '.join(parts)

    def _draw(self, panels: list[Panel]) -> None:
        rates = [name for name in self._table.rows[-1] if name.startswith(_RATE)]
        curves = [Curve(name, name.removeprefix(_RATE).lstrip('_') or 'rate') for name in rates]
        panels = [*panels, Panel('Learning rate', curves, steps=True)]
        try:
            draw_curves(self._table.rows, panels, self._title, self._run.folder / 'curves.png')
        except Exception as error:  # A picture that can't be drawn, for whatever reason, is no reason to lose a run.
            self._panels = None
            hint = ' pip install matplotlib, or set curves = False.' if isinstance(error, ImportError) else ''
            _LOGGER.warning('curves.png can not be drawn and is left out from here on: %r.%s', error, hint)


_NOT_TERMS = {'loss', 'psnr', *(name.removeprefix('train/') for name in (_SPEED, _SHARE))}


def scalars_of(
    means: Mapping[str, float], rates: Mapping[str, float], pace: Pace, result: Validated | None
) -> dict[str, float]:
    """An epoch's numbers under the names that the table and the trackers give them.

    Args:
        means: of what the steps returned.
        rates: the learning rates of the epoch's last step, by learner.
        pace: of the epoch, as far as this start of the run went through it.
        result: of the validation, if there was one.
    """
    scalars = {f'train/{name}': value for name, value in means.items() if name != 'mse'}
    if 'mse' in means:
        scalars['train/psnr'] = decibels_of(means['mse'])
    # The first has the name that it has alone.
    scalars |= {f'{_RATE}_{name}' if number else _RATE: rate for number, (name, rate) in enumerate(rates.items())}
    if pace.samples_per_second is not None and pace.loader_share is not None:
        scalars |= {_SPEED: pace.samples_per_second, _SHARE: pace.loader_share}
    return scalars | (result.scalars if result is not None else {})
