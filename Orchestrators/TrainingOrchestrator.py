"""One training run: set up, resume, epochs, validation, checkpoints."""

import contextlib
import dataclasses
import logging
import signal
from pathlib import Path
from typing import NoReturn

from Configuration.TrainingConfiguration import TrainingConfiguration
from Datasets.ImageFolder import ImageFolder
from Datasets.loaders import EpochBatches, load_batches
from Datasets.TrainingCrops import TrainingBatch, TrainingCrops
from Models.BenchmarkType import BenchmarkType
from Models.Quality.QualityModel import QualityModel
from Models.SavedModelType import SavedModelType
from Orchestrators.Prediction.file_names import checkpoint_path, run_folder
from Orchestrators.Prediction.trained_model import load_initial_weights
from Orchestrators.Steps.build import build_step
from Orchestrators.Training.averages import RunningMean
from Orchestrators.Training.failures import BatchNames, describe_failure, raise_if_out_of_memory
from Orchestrators.Training.Pace import Pace
from Orchestrators.Training.Progress import Progress
from Orchestrators.Training.ProgressBar import ProgressBar
from Orchestrators.Training.resuming import checkpoint_to_continue
from Orchestrators.Training.Run import Run
from Orchestrators.Training.tracking import Trackers
from Orchestrators.Training.training_pictures import read_pictures
from Orchestrators.Training.TrainingRecord import TrainingRecord, scalars_of
from Orchestrators.Training.Validation import Validation, ValidationResult, ValidationStoppedError
from Utilities.Checkpoint import Checkpoint
from Utilities.command_line import RunFailedError
from Utilities.devices import allow_tf32, choose_device, describe_computation
from Utilities.distributed import Ranks
from Utilities.find_class import find_class
from Utilities.seeding import restore_torch_states, seed_apart, torch_states
from Utilities.StopRequest import StopRequest
from Utilities.version import code_version

_LOGGER = logging.getLogger(__name__)
_GPU_WORKERS = 4
_BATCHES_BETWEEN_QUESTIONS = 8


class TrainingOrchestrator:
    """Trains a recipe, from the start or from where it stopped.

    Args:
        recipe: what to train, on what, how long.
    """

    def __init__(self, recipe: TrainingConfiguration) -> None:
        self.recipe = recipe

    def train(self) -> Path:
        """Run the recipe to its end; returns the path of its best checkpoint.

        Running it again continues it, as if it had never stopped; a finished one says so and does nothing. Ctrl-C,
        SIGTERM and SIGUSR1 save after the step under way and end the process with 128 + the signal's number. Started by
        torchrun, all its processes do this together, and the first one writes.

        Raises:
            ValueError, OSError: before the first step: a setting or the data is at fault.
            RunFailedError: later; the last checkpoint is whole.
        """
        recipe = self.recipe
        ranks = Ranks.from_environment()
        device = choose_device(recipe.device, ranks)
        folder = run_folder(recipe, recipe.save_path)
        with ranks.joined(device), Run.start(folder, device, ranks) as run, StopRequest() as stop:
            _LOGGER.info(
                f'Recipe {recipe.recipe_name}: {recipe.encoder.name} with {recipe.decoder.name} on {device}, '
                f'version {code_version()}'
            )
            training = _Training(recipe, run, stop)
            if training.progress.epoch >= recipe.epochs:
                train_on = 'To train on, raise epochs; to' if 'epochs' in recipe.may_change_on_resume else 'To'
                _LOGGER.info(
                    f'This run is finished: {training.describe_best()}. {train_on} start anew, move {folder}* away.'
                )
            elif training.has_stopped_early:
                _LOGGER.info(
                    f'This run has finished by early stopping: {training.describe_best()}, none better in '
                    f'{training.progress.validations_without_better} validations since. To train on, raise stop_after '
                    f'or set it to None; to start anew, move {folder}* away.'
                )
            else:
                training.run_epochs()
        return checkpoint_path(recipe, SavedModelType.Best, recipe.save_path)


class _Training:
    """What one call of `train` works on: the step, how far it is, and where it writes."""

    def __init__(self, recipe: TrainingConfiguration, run: Run, stop: StopRequest) -> None:
        self._recipe = recipe
        self._run = run
        self._stop = stop
        self._batch_names: BatchNames | None = None
        allow_tf32(recipe.tf32)
        self._pace = Pace()
        self._ranks = run.ranks
        with run.ranks.together():
            self._step = build_step(recipe, run.device, run.ranks)
        seed_apart(recipe.seed, run.ranks)
        with run.ranks.together():
            # It may be on one machine only, and what is damaged is set aside once.
            self._checkpoint = checkpoint_to_continue(recipe, run.device) if run.ranks.is_first else None
        self._checkpoint = run.ranks.from_first(self._checkpoint)
        self.progress = Progress.from_state_dict(self._checkpoint.progress) if self._checkpoint else Progress()
        if self._checkpoint is None and recipe.start_from is not None:
            with run.ranks.together():
                load_initial_weights(self._step.evaluated, Path(recipe.start_from))
            _LOGGER.info(f'Beginning with the weights of {recipe.start_from}.')

    def describe_best(self) -> str:
        progress = self.progress
        best = 'no best'
        if progress.best is not None:
            value = f'{progress.best:.{self._metric.decimals}f} {self._metric.unit}'.rstrip()
            best = f'best {self._recipe.best_by.name} {value} in epoch {progress.best_epoch}'
        return f'{progress.epoch} epochs, {best}'

    @property
    def has_stopped_early(self) -> bool:
        """Whether so many validations have brought nothing better that the recipe gives up."""
        limit = self._recipe.stop_after
        return limit is not None and self.progress.validations_without_better >= limit

    @property
    def _metric(self) -> type[QualityModel]:
        return find_class(self._recipe.best_by, 'Models.Quality')

    def run_epochs(self) -> None:
        """Train from where `progress` stands to the recipe's last epoch, or until it gives up."""
        kinds, samples_seen = self._recipe.trackers, self.progress.samples_seen
        with contextlib.ExitStack() as started:
            with self._ranks.together():
                own = kinds if self._ranks.is_first else ()
                trackers = started.enter_context(Trackers.start(own, self._run.folder, samples_seen))
            self._run = dataclasses.replace(self._run, trackers=trackers)
            self._run_epochs()

    def _run_epochs(self) -> None:
        recipe = self._recipe
        with self._ranks.together():
            self._refuse_unreachable_scales()
            validation = Validation(
                recipe.valid_data,
                recipe.valid_scales,
                recipe.valid_examples,
                recipe.sample_pictures,
                recipe.best_by,
                self._run,
            )
        images = self._read_images(validation)
        crops = TrainingCrops(
            images,
            input_patch=recipe.input_patch,
            scale_range=recipe.scale_range,
            queries=recipe.queries or recipe.input_patch**2,
            sampling=recipe.sampling,
            augment=recipe.augment,
            repeat=recipe.repeat,
            seed=recipe.seed,
        )
        with self._ranks.together():
            self._start_step(-(-len(crops) // recipe.batch_size))
            if self._ranks.is_first:
                self._record = TrainingRecord(recipe, self._run)
        settings = recipe.to_dict() | {'code_version': code_version()}
        self._run.write_json('configuration.json', settings)
        self._run.trackers.add_settings(settings)
        self._announce(images, len(crops), validation.pictures)
        self._exit_if_asked(save=False)
        try:
            self._loop(crops, validation)
        except (RuntimeError, OSError, FloatingPointError) as error:
            if isinstance(error, FloatingPointError) and not self._ranks.is_first:
                raise SystemExit(1) from error  # All have found the same, and the first one says so.
            raise RunFailedError(self._describe_failure(error)) from error
        files = ', '.join(str(self._path(kind)) for kind in (SavedModelType.Best, SavedModelType.Last))
        ended = 'Finished'
        if self.has_stopped_early and self.progress.epoch < recipe.epochs:
            count = self.progress.validations_without_better
            ended = f'Stopped early, as {count} validations in a row were no better (stop_after = {recipe.stop_after})'
        _LOGGER.info(f'{ended}: {self.describe_best()}. Checkpoints: {files}')

    def _refuse_unreachable_scales(self) -> None:
        recipe = self._recipe
        for setting in ('scale_range', 'valid_scales'):
            for scale in getattr(recipe, setting):
                side = round(recipe.input_patch * scale)
                try:
                    self._step.evaluated.check_size((recipe.input_patch, recipe.input_patch), (side, side))
                except ValueError as error:
                    raise ValueError(f'{setting} = {getattr(recipe, setting)}: {error}') from error

    def _start_step(self, batches_per_epoch: int) -> None:
        self._step.start(batches_per_epoch)
        checkpoint, self._checkpoint = self._checkpoint, None
        if checkpoint is None:
            return
        self._step.load_state({key: getattr(checkpoint, key) for key in self._step.STATE_KEYS})
        restore_torch_states(checkpoint.rng, self._run.device, self._ranks)
        _LOGGER.info(f'Continuing after epoch {self.progress.epoch}, batch {self.progress.batch}.')

    def _loop(self, crops: TrainingCrops, validation: Validation) -> None:
        recipe, device = self._recipe, self._run.device
        batches_per_epoch = -(-len(crops) // recipe.batch_size)
        if self.progress.batch == batches_per_epoch:
            self._end_epoch(validation)  # Its validation was stopped.
        if self.has_stopped_early:
            return
        batches = EpochBatches(
            len(crops),
            recipe.batch_size,
            epochs=recipe.epochs,
            seed=recipe.seed,
            start_epoch=self.progress.epoch + 1,
            start_batch=self.progress.batch,
            ranks=self._ranks,
        )
        self._batches, self._batch_names = batches, BatchNames(crops, batches)
        workers = recipe.workers if recipe.workers is not None else _GPU_WORKERS * (device.type == 'cuda')
        loader = load_batches(crops, batches, workers=workers, pin_memory=device.type == 'cuda')
        bar = ProgressBar(recipe.epochs * len(crops), self.progress.samples_seen, silent=not self._ranks.is_first)
        with contextlib.closing(loader), bar:
            for batch in self._pace.take(loader):
                self._learn(batch.to(device), bar)
                is_last = self.progress.batch == batches_per_epoch
                if is_last or self._is_time_to_ask():
                    self._exit_if_asked(save=True)
                if is_last:
                    self._end_epoch(validation)
                    if self.has_stopped_early:
                        return

    def _learn(self, batch: TrainingBatch, bar: ProgressBar) -> None:
        count = self._batches.samples_in(self.progress.batch)
        try:
            parts = self._step.run(batch, None if self._ranks.is_alone else count)
        except RuntimeError as error:
            raise_if_out_of_memory(error, batch, self._recipe, self._run.device)
            raise
        for name, value in parts.items():
            self.progress.averages.setdefault(name, RunningMean()).add(value, count)
        self.progress.batch += 1
        self.progress.samples_seen += count
        self._pace.end_step(count)
        bar.advance(count, f'Epoch {self.progress.epoch + 1}/{self._recipe.epochs}', parts['loss'], parts.get('mse'))

    def _end_epoch(self, validation: Validation) -> None:
        progress, recipe = self.progress, self._recipe
        epoch = progress.epoch + 1
        self._step.settle()
        means = {name: mean.read() for name, mean in progress.averages.items()}
        self._pace.settle()
        rate = self._step.learning_rate
        result = None
        if epoch % recipe.validate_every == 0 or epoch == recipe.epochs:
            # Not rounded, as in testing.
            allow_tf32(False)
            try:
                result = validation.validate(
                    self._step.evaluated, epoch, progress.samples_seen, lambda: self._asked_signal() > 0
                )
            except ValidationStoppedError:
                self._exit_if_asked(save=True)
            allow_tf32(recipe.tf32)
        scalars = scalars_of(means, rate, self._pace, result)
        self._pace.restart()
        is_best = self._rate_epoch(epoch, result)
        progress.epoch, progress.batch, progress.averages = epoch, 0, {}
        with self._ranks.together():
            if self._ranks.is_first:
                self._record.keep(epoch, progress.samples_seen, scalars)
        if is_best:
            self._save(SavedModelType.Best)
        self._save(SavedModelType.Last)
        if recipe.save_every and epoch % recipe.save_every == 0:
            self._save(epoch)
        if self._ranks.is_first:
            self._record.show(progress, scalars, result, is_best=is_best)
        self._exit_if_asked(save=False)

    def _rate_epoch(self, epoch: int, result: ValidationResult | None) -> bool:
        """Tell the schedule and the progress how good the epoch was; returns whether it is the best so far."""
        value = result.mean(self._recipe.best_by) if result is not None else None
        higher_is_better = self._metric.higher_is_better
        self._step.end_epoch(value if value is None or higher_is_better else -value)
        if result is None or epoch <= self._recipe.best_after_epoch:
            return False
        return self.progress.note(value, epoch, higher_is_better=higher_is_better)

    def _read_images(self, validation: Validation) -> ImageFolder:
        progress = self.progress
        images: ImageFolder | None = None
        # A cache on the disk is filled by one, for all.
        for turn in ('first', 'others') if self._recipe.cache == 'disk' else ('all',):
            with self._ranks.together():
                if turn == 'all' or self._ranks.is_first == (turn == 'first'):
                    images = read_pictures(self._recipe, validation, self._exit_before_first_step)
        assert images is not None
        with self._ranks.together():
            self._refuse_other_pictures(images)
        counts = (len(images), len(images.skipped))
        before = (progress.pictures, progress.pictures_skipped)
        if progress.samples_seen and counts != before:
            raise ValueError(
                f'The training pictures have changed: {counts[0]} usable and {counts[1]} left out, but the checkpoint '
                f'was trained on {before[0]} and {before[1]}. Restore them, or start anew under another recipe name.'
            )
        progress.pictures, progress.pictures_skipped = counts
        return images

    def _refuse_other_pictures(self, images: ImageFolder) -> None:
        names = self._ranks.gather([file.name for file in images.files])
        if any(other != names[0] for other in names):
            counts = ', '.join(str(len(found)) for found in names)
            raise ValueError(
                f'The training pictures must be the same, by number and name, for all processes, which found {counts}. '
                'Copy them to every machine.'
            )

    def _path(self, kind: SavedModelType | int) -> Path:
        return checkpoint_path(self._recipe, kind, self._recipe.save_path)

    def _save(self, kind: SavedModelType | int) -> None:
        state = self._step.state()
        checkpoint = Checkpoint(
            configuration=self._recipe.to_dict(),
            progress=self.progress.state_dict(),
            network=state['network'],
            optimizer=state['optimizer'],
            schedule=state['schedule'],
            step=state['step'],
            rng=torch_states(self._run.device, self._ranks),
            computed_on=describe_computation(self._run.device),
        )
        with self._ranks.together():
            if self._ranks.is_first:
                checkpoint.save(self._path(kind))

    def _is_time_to_ask(self) -> bool:
        """Whether to look for a signal. A GPU should not run dry because its process waits for other processes."""
        is_rare = self._run.device.type == 'cuda' and not self._ranks.is_alone
        return not is_rare or self.progress.batch % _BATCHES_BETWEEN_QUESTIONS == 0

    def _asked_signal(self) -> int:
        """Number of the signal that came to any of the processes, or 0."""
        return self._ranks.largest(self._stop.number)

    def _exit_if_asked(self, *, save: bool) -> None:
        number = self._asked_signal()
        if not number:
            return
        if save:
            self._save(SavedModelType.Last)
        self._exit(number)

    def _exit_before_first_step(self) -> None:
        if self._stop.number:
            self._exit(self._stop.number)

    def _exit(self, number: int) -> NoReturn:
        name = signal.Signals(number).name
        progress = self.progress
        if progress.samples_seen:
            _LOGGER.warning(
                f'Stopped by {name} after batch {progress.batch} of epoch {progress.epoch + 1}; saved '
                f'{self._path(SavedModelType.Last)}. Run the same command to go on.'
            )
        else:
            _LOGGER.warning(f'Stopped by {name} before the first step; there is nothing to save.')
        raise SystemExit(128 + number)

    def _describe_failure(self, error: BaseException) -> str:
        last = self._path(SavedModelType.Last)
        left = f'{last} is whole; run the same command to go on from it.' if last.exists() else 'Nothing was saved yet.'
        return f'{describe_failure(error, self.progress, self._batch_names)} {left}'

    def _announce(self, images: ImageFolder, samples: int, valid_pictures: int) -> None:
        recipe = self._recipe
        parameters = sum(parameter.numel() for parameter in self._step.evaluated.parameters())
        scales = ', '.join(f'x{scale:g}' for scale in recipe.valid_scales)
        _LOGGER.info(
            f'{parameters:,} parameters. Training on {len(images)} pictures, {samples} samples per epoch in batches of '
            f'{recipe.batch_size}; validating on {valid_pictures} at {scales}.'
        )
        if images.pair_scales:
            _LOGGER.info(f'LR files at {", ".join(f"x{scale}" for scale in images.pair_scales)}.')
        if recipe.train_data is BenchmarkType.Photographs:
            names = ', '.join(file.name for file in images.files)
            _LOGGER.info(
                f'The training pictures are the embedded photographs ({names}): enough to see that everything works, '
                'too few for science.'
            )
