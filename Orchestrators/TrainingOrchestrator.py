"""One training run: set up, resume, epochs, validation, checkpoints. What is trained, its pipeline knows."""

import contextlib
import logging
import signal
from pathlib import Path
from typing import Any, NoReturn

from Configuration.TrainingConfiguration import TrainingConfiguration
from Datasets.loaders import EpochBatches, load_batches
from Datasets.SampleSource import Batch, SampleSource
from Models.SavedModelType import SavedModelType
from Orchestrators.Pipelines.Pipeline import Pipeline, Validated, ValidationStoppedError
from Orchestrators.Pipelines.SuperResolution import SuperResolution
from Orchestrators.Prediction.trained_model import load_initial_weights
from Orchestrators.Steps.Learner import Share
from Orchestrators.Training.averages import RunningMean
from Orchestrators.Training.failures import BatchNames, describe_failure, raise_if_out_of_memory
from Orchestrators.Training.Pace import Pace, ProgressBar
from Orchestrators.Training.Progress import Progress
from Orchestrators.Training.resuming import checkpoint_to_continue, refuse_other_data
from Orchestrators.Training.Run import Run
from Orchestrators.Training.TrainingRecord import TrainingRecord, scalars_of
from Utilities.Checkpoint import Checkpoint
from Utilities.command_line import RunFailedError
from Utilities.devices import allow_tf32, choose_device, describe_computation
from Utilities.distributed import Ranks
from Utilities.PathManager import PathManager
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
        recipe, kind = self.recipe, find_pipeline(self.recipe)
        ranks = Ranks.from_environment()
        device = choose_device(recipe.device, ranks)
        folder = Path(recipe.save_path) / kind.file_stem(recipe)
        with ranks.joined(device), Run.start(folder, device, ranks) as run, StopRequest() as stop:
            _LOGGER.info(f'Recipe {kind.title(recipe)} on {device}, version {code_version()}')
            allow_tf32(recipe.tf32)
            with ranks.together():
                pipeline = kind(recipe, run)
            seed_apart(recipe.seed, ranks)
            _Training(recipe, pipeline, run, stop).run_to_the_end()
        return PathManager.checkpoint(folder, SavedModelType.Best)


def find_pipeline(recipe: TrainingConfiguration) -> type[Pipeline]:
    """The pipeline of a recipe's kind, to be called with the recipe and its run."""
    match recipe:
        case TrainingConfiguration():
            return SuperResolution


class _Training:
    """What one call of `train` works on: how far the run is, and where it writes."""

    def __init__(self, recipe: TrainingConfiguration, pipeline: Pipeline, run: Run, stop: StopRequest) -> None:
        self._recipe = recipe
        self._pipeline = pipeline
        self._step = pipeline.step
        self._run = run
        self._ranks = run.ranks
        self._stop = stop
        self._pace = Pace()
        self._batch_names: BatchNames | None = None
        with run.ranks.together():
            # It may be on one machine only, and what is damaged is set aside once.
            checkpoint = None
            if run.ranks.is_first:
                stem = pipeline.file_stem(recipe.without_branch())
                checkpoint = checkpoint_to_continue(recipe, run.folder, run.folder.with_name(stem), run.device)
        self._checkpoint = run.ranks.from_first(checkpoint)
        self._progress = Progress.from_state_dict(self._checkpoint.progress) if self._checkpoint else Progress()
        if self._checkpoint is None and recipe.start_from is not None:
            with run.ranks.together():
                load_initial_weights(self._step.used, Path(recipe.start_from))
            _LOGGER.info(f'Beginning with the weights of {recipe.start_from}.')

    def run_to_the_end(self) -> None:
        """Train from where `progress` stands to the recipe's last epoch, or until it gives up."""
        recipe, folder = self._recipe, self._run.folder
        if self._progress.epoch >= recipe.epochs:
            train_on = 'To train on, raise epochs; to' if 'epochs' in recipe.may_change_on_resume else 'To'
            _LOGGER.info(f'This run is finished: {self._describe_best()}. {train_on} start anew, move {folder}* away.')
            return
        if self._has_stopped_early:
            _LOGGER.info(
                f'This run has finished by early stopping: {self._describe_best()}, none better in '
                f'{self._progress.validations_without_better} validations since. To train on, raise stop_after or set '
                f'it to None; to start anew, move {folder}* away.'
            )
            return
        with contextlib.ExitStack() as started:
            with self._ranks.together():
                kinds = recipe.trackers if self._ranks.is_first else ()
                started.enter_context(self._run.trackers.started(kinds, folder, self._progress.samples_seen))
            self._run_epochs()

    def _run_epochs(self) -> None:
        recipe, pipeline = self._recipe, self._pipeline
        samples = pipeline.samples(self._exit_before_first_step)
        self._compare_data()
        if recipe.batch_size > len(samples):
            _LOGGER.warning(
                f'batch_size = {recipe.batch_size} is more than an epoch has samples, so each update learns from '
                f'{len(samples)}. Lower batch_size, or have more samples, such as by a larger repeat.'
            )
        with self._ranks.together():
            self._start_step(-(-len(samples) // recipe.batch_size))
            if self._ranks.is_first:
                panels = pipeline.panels if recipe.curves else None
                self._record = TrainingRecord(self._run, pipeline.title(recipe), recipe.epochs, panels)
        settings = recipe.to_dict() | {'code_version': code_version()}
        self._run.write_json('configuration.json', settings)
        self._run.trackers.add_settings(settings)
        for line in pipeline.describe().splitlines():
            _LOGGER.info(line)
        self._exit_if_asked(save=False)
        try:
            self._loop(samples)
        except (RuntimeError, OSError, FloatingPointError) as error:
            if isinstance(error, FloatingPointError) and not self._ranks.is_first:
                raise SystemExit(1) from error  # All have found the same, and the first one says so.
            raise RunFailedError(self._describe_failure(error)) from error
        self._announce_end()

    def _compare_data(self) -> None:
        """Refuse to go on with other data than the run has learned from."""
        progress, found = self._progress, self._pipeline.identity()
        if progress.samples_seen:
            refuse_other_data(found, progress.data)
        progress.data = found

    def _start_step(self, batches_per_epoch: int) -> None:
        self._step.start(batches_per_epoch)
        checkpoint, self._checkpoint = self._checkpoint, None
        if checkpoint is None:
            return
        self._step.load_state(checkpoint.network, checkpoint.learners)
        restore_torch_states(checkpoint.rng, self._run.device, self._ranks)
        _LOGGER.info(f'Continuing after epoch {self._progress.epoch}, batch {self._progress.batch}.')

    def _loop(self, samples: SampleSource[Any]) -> None:
        recipe, progress, is_gpu = self._recipe, self._progress, self._run.device.type == 'cuda'
        batches_per_epoch = -(-len(samples) // recipe.batch_size)
        if progress.batch == batches_per_epoch:
            self._end_epoch()  # Its validation was stopped.
        if self._has_stopped_early:
            return
        self._batches = EpochBatches(
            len(samples),
            recipe.batch_size,
            epochs=recipe.epochs,
            seed=recipe.seed,
            start_epoch=progress.epoch + 1,
            start_batch=progress.batch,
            ranks=self._ranks,
        )
        self._batch_names = BatchNames(samples, self._batches)
        workers = recipe.workers if recipe.workers is not None else _GPU_WORKERS * is_gpu
        loader = load_batches(samples, self._batches, workers=workers, pin_memory=is_gpu)
        bar = ProgressBar(recipe.epochs * len(samples), progress.samples_seen, silent=not self._ranks.is_first)
        with contextlib.closing(loader), bar:
            for batch in self._pace.take(loader):
                # Forward, backward, and with the last batch of an update the optimizer's step.
                self._learn(batch.to(self._run.device), bar)
                is_last = progress.batch == batches_per_epoch
                # A signal ends the run between two steps, where its state is whole.
                if is_last or self._is_time_to_ask():
                    self._exit_if_asked(save=True)
                # Validation, learning rate, metrics.csv, checkpoints.
                if is_last:
                    self._end_epoch()
                    if self._has_stopped_early:
                        return

    def _learn(self, batch: Batch, bar: ProgressBar) -> None:
        progress, count = self._progress, self._batches.samples_in(self._progress.batch)
        share = Share(
            progress.epoch + 1,
            progress.batch + 1,
            self._batches.batches_per_epoch,
            samples=count,
            own=len(self._ranks.part_of(count)),
        )
        try:
            scalars = self._step.learn_from(batch, share)
        except RuntimeError as error:
            raise_if_out_of_memory(error, batch, self._run.device)
            raise
        for name, value in scalars.items():
            progress.averages.setdefault(name, RunningMean()).add(value, count)
        progress.batch += 1
        progress.samples_seen += count
        self._pace.end_step(count)
        bar.advance(count, f'Epoch {progress.epoch + 1}/{self._recipe.epochs}', scalars['loss'], scalars.get('mse'))

    def _end_epoch(self) -> None:
        progress, recipe = self._progress, self._recipe
        epoch = progress.epoch + 1
        # A GPU's last steps, and whether all their numbers were finite.
        self._step.settle()
        means = {name: mean.read() for name, mean in progress.averages.items()}
        self._pace.settle()
        rates = self._step.rates
        # Validation, and what follows from it: the learning rate, and whether this epoch is the best.
        result = self._validate(epoch) if epoch % recipe.validate_every == 0 or epoch == recipe.epochs else None
        scalars = scalars_of(means, rates, self._pace, result)
        self._pace.restart()
        is_best = self._rate_epoch(epoch, result)
        progress.epoch, progress.batch, progress.averages = epoch, 0, {}
        # The table before the checkpoints: an epoch that is saved is not gone through again.
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

    def _validate(self, epoch: int) -> Validated:
        # Not rounded, as in testing.
        allow_tf32(False)
        try:
            return self._pipeline.validate(epoch, self._progress.samples_seen, lambda: self._asked_signal() > 0)
        except ValidationStoppedError:
            self._exit_if_asked(save=True)
            raise
        finally:
            allow_tf32(self._recipe.tf32)

    def _rate_epoch(self, epoch: int, result: Validated | None) -> bool:
        """Tell the schedules and the progress how good the epoch was; returns whether it is the best so far."""
        metrics = self._pipeline.metrics
        value = result.values[0] if result is not None else None
        self._step.end_epoch(value if value is None or metrics[0].higher_is_better else -value)
        if result is None or epoch <= self._recipe.best_after_epoch:
            return False
        return self._progress.note(result.values, epoch, metrics)

    def _path(self, kind: SavedModelType | int) -> Path:
        return PathManager.checkpoint(self._run.folder, kind)

    def _save(self, kind: SavedModelType | int) -> None:
        checkpoint = Checkpoint(
            configuration=self._recipe.to_dict(),
            progress=self._progress.state_dict(),
            **self._step.state(),
            rng=torch_states(self._run.device, self._ranks),
            computed_on=describe_computation(self._run.device),
        )
        with self._ranks.together():
            if self._ranks.is_first:
                checkpoint.save(self._path(kind))

    @property
    def _has_stopped_early(self) -> bool:
        """Whether so many validations have brought nothing better that the recipe gives up."""
        limit = self._recipe.stop_after
        return limit is not None and self._progress.validations_without_better >= limit

    def _is_time_to_ask(self) -> bool:
        """Whether to look for a signal. A GPU should not run dry because its process waits for other processes."""
        is_rare = self._run.device.type == 'cuda' and not self._ranks.is_alone
        return not is_rare or self._progress.batch % _BATCHES_BETWEEN_QUESTIONS == 0

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
        name, progress = signal.Signals(number).name, self._progress
        if progress.samples_seen:
            _LOGGER.warning(
                f'Stopped by {name} after batch {progress.batch} of epoch {progress.epoch + 1}; saved '
                f'{self._path(SavedModelType.Last)}. Run the same command to go on.'
            )
        else:
            _LOGGER.warning(f'Stopped by {name} before the first step; there is nothing to save.')
        raise SystemExit(128 + number)

    def _describe_best(self) -> str:
        return f'{self._progress.epoch} epochs, {self._progress.describe_best(self._pipeline.metrics)}'

    def _describe_failure(self, error: BaseException) -> str:
        last = self._path(SavedModelType.Last)
        left = f'{last} is whole; run the same command to go on from it.' if last.exists() else 'Nothing was saved yet.'
        return f'{describe_failure(error, self._progress, self._batch_names)} {left}'

    def _announce_end(self) -> None:
        files = ', '.join(str(self._path(kind)) for kind in (SavedModelType.Best, SavedModelType.Last))
        ended = 'Finished'
        if self._has_stopped_early and self._progress.epoch < self._recipe.epochs:
            count, limit = self._progress.validations_without_better, self._recipe.stop_after
            ended = f'Stopped early, as {count} validations in a row were no better (stop_after = {limit})'
        _LOGGER.info(f'{ended}: {self._describe_best()}. Checkpoints: {files}')
