"""What a run tells about itself, epoch by epoch: the table, its curves, the log's line, the trackers."""

import logging
from collections.abc import Mapping

from Configuration.TrainingConfiguration import TrainingConfiguration
from Models.QualityType import QualityType
from Orchestrators.Training.curves import Curve, Panel, draw_curves
from Orchestrators.Training.MetricsTable import MetricsTable
from Orchestrators.Training.Pace import Pace
from Orchestrators.Training.Progress import Progress
from Orchestrators.Training.ProgressBar import decibels_of
from Orchestrators.Training.Run import Run
from Orchestrators.Training.Validation import ValidationResult, scalar_name

_LOGGER = logging.getLogger(__name__)
_RATE = 'train/learning_rate'
_SPEED = 'train/samples_per_second'
_SHARE = 'train/loader_share'


class TrainingRecord:
    """The numbers of each epoch, kept and shown.

    Args:
        recipe: what is trained.
        run: where it happens.

    Raises:
        ValueError: if the run's folder holds a `metrics.csv` of another kind.
    """

    def __init__(self, recipe: TrainingConfiguration, run: Run) -> None:
        self._recipe = recipe
        self._run = run
        self._table = MetricsTable(run.folder / 'metrics.csv')
        self._draws = recipe.curves

    def keep(self, epoch: int, samples_seen: int, scalars: Mapping[str, float]) -> None:
        """Write an epoch's numbers down. Before its checkpoint: an epoch that is saved is not gone through again."""
        self._table.record(epoch, samples_seen, scalars)

    def show(
        self, progress: Progress, scalars: Mapping[str, float], result: ValidationResult | None, *, is_best: bool
    ) -> None:
        """Log an epoch that is finished, and show it wherever the recipe says."""
        message = f'Epoch {progress.epoch}/{self._recipe.epochs}: {self._describe(scalars)}'
        message += f', {progress.samples_seen:,} samples seen'
        if _SPEED in scalars:
            message += f' ({scalars[_SPEED]:.3g}/s, data {100 * scalars[_SHARE]:.0f} %)'
        message += f', rate {scalars[_RATE]:.3g}'
        if result is not None:
            message += f' | validation {result}{" (best)" if is_best else ""}'
        _LOGGER.info(message)
        self._run.trackers.add_scalars(scalars, progress.samples_seen)
        if result is not None and self._draws:
            self._draw(progress.best_epoch or None)

    def _describe(self, scalars: Mapping[str, float]) -> str:
        names = {name.removeprefix('train/'): value for name, value in scalars.items() if name.startswith('train/')}
        terms = {name: value for name, value in names.items() if name not in _NOT_TERMS}
        parts = [f'loss {names["loss"]:.4f}']
        if len(terms) > 1:
            parts += [f'{name} {value:.4g}' for name, value in terms.items()]
        if 'psnr' in names:
            parts.append(f'PSNR {names["psnr"]:.2f} dB')
        return ', '.join(parts)

    def _draw(self, best_epoch: int | None) -> None:
        recipe = self._recipe
        title = f'{recipe.recipe_name}: {recipe.encoder.name} with {recipe.decoder.name}'
        try:
            draw_curves(self._table.rows, _panels(recipe, best_epoch), title, self._run.folder / 'curves.png')
        except Exception as error:  # A picture that can't be drawn, for whatever reason, is no reason to lose a run.
            self._draws = False
            hint = ' pip install matplotlib, or set curves = False.' if isinstance(error, ImportError) else ''
            _LOGGER.warning('curves.png can not be drawn and is left out from here on: %r.%s', error, hint)


_NOT_TERMS = {'loss', 'psnr', *(name.removeprefix('train/') for name in (_RATE, _SPEED, _SHARE))}


def scalars_of(
    means: Mapping[str, float], rate: float, pace: Pace, result: ValidationResult | None
) -> dict[str, float]:
    """An epoch's numbers under the names that the table and the trackers give them.

    Args:
        means: of what the steps returned.
        rate: the learning rate of the epoch's last step.
        pace: of the epoch, as far as this start of the run went through it.
        result: of the validation, if there was one.
    """
    scalars = {f'train/{name}': value for name, value in means.items() if name != 'mse'}
    if 'mse' in means:
        scalars['train/psnr'] = decibels_of(means['mse'])
    scalars[_RATE] = rate
    if pace.samples_per_second is not None and pace.loader_share is not None:
        scalars |= {_SPEED: pace.samples_per_second, _SHARE: pace.loader_share}
    return scalars | (result.scalars() if result is not None else {})


def _panels(recipe: TrainingConfiguration, best_epoch: int | None) -> list[Panel]:
    terms = [term for term in recipe.losses if term.weight]
    losses = [Curve('train/loss', 'loss')]
    if len(terms) > 1:
        # As parts of the sum; the table has them before their weights.
        losses += [Curve(f'train/{term.loss.name}', str(term), term.weight) for term in terms]
    scales = [Curve(scalar_name(recipe.best_by, scale), f'x{scale:g}') for scale in recipe.valid_scales]
    unit = ' (dB)' if recipe.best_by is QualityType.PSNR else ''
    return [
        Panel('Training loss, mean over the epoch', losses),
        Panel(f'Validation, {recipe.best_by.name}{unit}', scales, best_epoch=best_epoch),
        Panel('Learning rate', [Curve(_RATE, 'rate')], steps=True),
    ]
