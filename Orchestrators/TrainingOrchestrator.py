"""One training run: set up, resume, epochs, validation, checkpoints."""

import logging
import math
import time
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from Configuration.TrainingConfiguration import TrainingConfiguration
from Datasets.benchmarks import training_files
from Datasets.ImageFolder import ImageFolder
from Datasets.loaders import EpochBatches, training_loader
from Datasets.TrainingCrops import TrainingCrops
from Models.BenchmarkType import BenchmarkType
from Models.SavedModelType import SavedModelType
from Orchestrators.Progress import Progress
from Orchestrators.Steps.build import build_step
from Orchestrators.Steps.TrainingStep import TrainingStep
from Orchestrators.Validation import Validation, ValidationResult, ValidationStoppedError
from Utilities.averages import RunningMean
from Utilities.Checkpoint import Checkpoint, CheckpointError, remove_leftovers
from Utilities.command_line import RunFailedError
from Utilities.devices import choose_device
from Utilities.PathManager import PathManager
from Utilities.Run import Run
from Utilities.StopRequest import StopRequest
from Utilities.version import code_version

_LOGGER = logging.getLogger(__name__)
_GPU_WORKERS = 4
_SECONDS_BETWEEN_READOUTS = 0.5


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
        SIGTERM and SIGUSR1 save after the step under way and end the process with 128 + the signal's number.

        Raises:
            ValueError, OSError: before anything is written but the log: a setting or the data is at fault.
            RunFailedError: later; the last checkpoint is whole.
        """
        recipe = self.recipe
        device = choose_device(recipe.device)
        folder = PathManager.run_folder(*self._name_parts(), folder=recipe.save_path)
        with Run.start(folder, device, tensorboard=recipe.tensorboard) as run, StopRequest() as stop:
            _LOGGER.info(
                'Recipe %s: %s with %s on %s, version %s', recipe.recipe_name, recipe.encoder.name, recipe.decoder.name,
                device, code_version(),
            )  # fmt: skip
            training = _Training(recipe, run, stop, self._path)
            training.resume()
            if training.is_finished:
                _LOGGER.info(
                    'This run is finished: %d epochs, best %s in epoch %d. To train on, raise epochs; to start anew, '
                    'move %s* away.', recipe.epochs, _decibels(training.progress.best), training.progress.best_epoch, folder,
                )  # fmt: skip
            else:
                training.run_epochs()
        return self._path(SavedModelType.Best)

    def _name_parts(self) -> tuple[Any, ...]:
        recipe = self.recipe
        return (recipe.encoder, recipe.decoder, recipe.recipe_name, recipe.input_patch, recipe.scale_range)

    def _path(self, kind: SavedModelType | int) -> Path:
        return PathManager.GetModelSavePath(*self._name_parts(), kind, folder=self.recipe.save_path)


class _Training:
    """The state of one call of `train`."""

    def __init__(self, recipe: TrainingConfiguration, run: Run, stop: StopRequest, path_of: Any) -> None:  # noqa: ANN401
        self._recipe = recipe
        self._run = run
        self._stop = stop
        self._path_of = path_of
        self._step: TrainingStep = build_step(recipe, run.device)
        self.progress = Progress()

    @property
    def is_finished(self) -> bool:
        return self.progress.epoch >= self._recipe.epochs

    # Resuming

    def resume(self) -> None:
        """Continue from a checkpoint, if the recipe's `resume` and the folder say so."""
        last = self._path_of(SavedModelType.Last)
        remove_leftovers(last)
        remove_leftovers(self._path_of(SavedModelType.Best))
        if isinstance(self._recipe.resume, str):
            checkpoint: Checkpoint | None = Checkpoint.load(Path(self._recipe.resume))
        elif self._recipe.resume:
            checkpoint = Checkpoint.load_newest(last)
        elif last.exists():
            raise ValueError(
                f'{last} exists, and resume is False. Set resume = True to continue it, or move it away or change '
                'save_path to start anew.'
            )
        else:
            checkpoint = None
        if checkpoint is None:
            return
        _refuse_other_configuration(checkpoint, self._recipe, last)
        self._step.load_state({key: getattr(checkpoint, key) for key in self._step.STATE_KEYS})
        self.progress = Progress.from_state_dict(checkpoint.progress)
        if checkpoint.rng is None:
            raise CheckpointError(f'{last} holds no state of the random generator, so the run can not go on exactly.')
        torch.set_rng_state(checkpoint.rng)
        if checkpoint.torch_version != str(torch.__version__):
            _LOGGER.warning(
                'The checkpoint was written by torch %s, this is %s: the run goes on, but not bit for bit.',
                checkpoint.torch_version, torch.__version__,
            )  # fmt: skip
        _LOGGER.info('Continuing after epoch %d, batch %d.', self.progress.epoch, self.progress.batch)

    # Data

    def _read_images(self) -> ImageFolder:
        recipe = self._recipe
        files = training_files(recipe.train_data)
        images = ImageFolder(
            files,
            minimum_side=round(recipe.input_patch * recipe.scale_range[1]),
            needed_by=f'input_patch = {recipe.input_patch} at scale_range = {recipe.scale_range}',
            on_bad_image=recipe.on_bad_image,
            in_memory=recipe.images_in_memory,
            max_image_pixels=recipe.max_image_pixels,
        )
        counts = (len(images), len(images.skipped))
        before = (self.progress.pictures, self.progress.pictures_skipped)
        if self.progress.samples_seen and counts != before:
            raise ValueError(
                f'The training pictures have changed: {counts[0]} usable and {counts[1]} left out, but the checkpoint was '
                f'trained on {before[0]} and {before[1]}. Restore them, or start anew under another recipe name.'
            )
        self.progress.pictures, self.progress.pictures_skipped = counts
        return images

    def _crops(self, images: ImageFolder) -> TrainingCrops:
        recipe = self._recipe
        return TrainingCrops(
            images,
            input_patch=recipe.input_patch,
            scale_range=recipe.scale_range,
            queries=recipe.queries or recipe.input_patch**2,
            sampling=recipe.sampling,
            augment=recipe.augment,
            repeat=recipe.repeat,
            seed=recipe.seed,
        )

    # The loop

    def run_epochs(self) -> None:
        """Train from where `progress` stands to the recipe's last epoch."""
        recipe, device = self._recipe, self._run.device
        images = self._read_images()
        crops = self._crops(images)
        validation = Validation(
            recipe.valid_data, recipe.valid_scales, recipe.valid_examples, recipe.sample_pictures, self._run
        )
        self._run.write_json('configuration.json', recipe.to_dict() | {'code_version': code_version()})
        self._announce(images, len(crops), validation.pictures)
        self._exit_if_asked(save=False)
        try:
            batches = EpochBatches(len(crops), recipe.batch_size, epochs=recipe.epochs, seed=recipe.seed)
            if self.progress.batch == batches.batches_per_epoch:
                self._end_epoch(validation)  # A validation that was stopped.
            batches = EpochBatches(
                len(crops), recipe.batch_size, epochs=recipe.epochs, seed=recipe.seed,
                start_epoch=self.progress.epoch + 1, start_batch=self.progress.batch,
            )  # fmt: skip
            workers = recipe.workers if recipe.workers is not None else _GPU_WORKERS * (device.type == 'cuda')
            loader = training_loader(crops, batches, workers=workers, pin_memory=device.type == 'cuda')
            with _progress_bar(recipe.epochs * len(crops), self.progress.samples_seen) as bar:
                for batch in loader:
                    self._learn(batch.to(device), bar)
                    self._exit_if_asked(save=True)
                    if self.progress.batch == batches.batches_per_epoch:
                        self._end_epoch(validation)
        except (RuntimeError, OSError, FloatingPointError) as error:
            raise RunFailedError(self._failure(error)) from error
        _LOGGER.info(
            'Finished: best %s in epoch %d. Checkpoints: %s, %s', _decibels(self.progress.best), self.progress.best_epoch,
            self._path_of(SavedModelType.Best), self._path_of(SavedModelType.Last),
        )  # fmt: skip

    def _learn(self, batch: Any, bar: tqdm) -> None:  # noqa: ANN401
        parts = self._step.run(batch)
        count = batch.lr.shape[0]
        for name, value in parts.items():
            self.progress.averages.setdefault(name, RunningMean()).add(value, count)
        self.progress.batch += 1
        self.progress.samples_seen += count
        bar.update(count)
        # Reading a number waits for the device, so only as often as an eye can follow.
        if not bar.disable and time.monotonic() - bar.last_readout > _SECONDS_BETWEEN_READOUTS:
            bar.last_readout = time.monotonic()
            bar.set_description(f'Epoch {self.progress.epoch + 1}/{self._recipe.epochs}')
            bar.set_postfix_str(f'loss {parts["loss"].item():.4f}, PSNR {_psnr(parts["mse"].item()):.1f} dB')

    def _end_epoch(self, validation: Validation) -> None:
        progress, recipe = self.progress, self._recipe
        epoch = progress.epoch + 1
        means = {name: mean.read() for name, mean in progress.averages.items()}
        rate = self._step.learning_rate
        result = None
        if epoch % recipe.validate_every == 0 or epoch == recipe.epochs:
            try:
                result = validation.validate(self._step.evaluated, epoch, lambda: self._stop.name is not None)
            except ValidationStoppedError:
                self._exit_if_asked(save=True)
        self._step.end_epoch()
        progress.epoch, progress.batch, progress.averages = epoch, 0, {}
        is_best = result is not None and progress.is_better(result.psnr)
        if result is not None and is_best:
            progress.best, progress.best_epoch = result.psnr, epoch
            self._save(SavedModelType.Best)
        self._save(SavedModelType.Last)
        if recipe.save_every and epoch % recipe.save_every == 0:
            self._save(epoch)
        self._report(epoch, means, rate, result, is_best)
        self._exit_if_asked(save=False)

    def _report(
        self, epoch: int, means: dict[str, float], rate: float, result: ValidationResult | None, is_best: bool
    ) -> None:
        scalars = {f'train/{name}': value for name, value in means.items() if name != 'mse'}
        scalars |= {'train/psnr': _psnr(means['mse']), 'train/learning_rate': rate}
        message = (
            f'Epoch {epoch}/{self._recipe.epochs}: loss {means["loss"]:.4f}, PSNR {scalars["train/psnr"]:.2f} dB, '
            f'rate {rate:.3g}'
        )
        if result is not None:
            message += f' | validation {result}{" (best)" if is_best else ""}'
            for scale, scores in result.scores.items():
                named = {f'validation/{kind.name}_x{scale:g}': value for kind, value in scores.items()}
                scalars |= {name: value for name, value in named.items() if value is not None}
        _LOGGER.info(message)
        # Over samples seen, so that recipes of other batch sizes and lengths can be laid over each other.
        self._run.add_scalars(scalars, self.progress.samples_seen)

    # Saving and stopping

    def _save(self, kind: SavedModelType | int) -> None:
        checkpoint = Checkpoint(
            configuration=self._recipe.to_dict(),
            progress=self.progress.state_dict(),
            rng=torch.get_rng_state(),
            **self._step.state(),
        )
        checkpoint.save(self._path_of(kind))

    def _exit_if_asked(self, *, save: bool) -> None:
        if self._stop.name is None:
            return
        if save:
            self._save(SavedModelType.Last)
        if self.progress.samples_seen:
            _LOGGER.warning(
                'Stopped by %s after batch %d of epoch %d; saved %s. Run the same command to go on.', self._stop.name,
                self.progress.batch, self.progress.epoch + 1, self._path_of(SavedModelType.Last),
            )  # fmt: skip
        else:
            _LOGGER.warning('Stopped by %s before the first step; there is nothing to save.', self._stop.name)
        raise SystemExit(self._stop.exit_code)

    def _failure(self, error: BaseException) -> str:
        text = str(error).strip() or type(error).__name__
        if 'Original Traceback' in text:
            # What came out of a worker carries its whole traceback; the last line is the message.
            text = text.splitlines()[-1].partition(': ')[2]
        last = self._path_of(SavedModelType.Last)
        left = f'{last} is whole; run the same command to go on from there.' if last.exists() else 'Nothing was saved yet.'
        return f'Epoch {self.progress.epoch + 1}, after batch {self.progress.batch}: {text} {left}'

    def _announce(self, images: ImageFolder, samples: int, valid_pictures: int) -> None:
        recipe = self._recipe
        parameters = sum(parameter.numel() for parameter in self._step.evaluated.parameters())
        _LOGGER.info(
            '%d parameters. Training on %d pictures, %d samples per epoch in batches of %d; validating on %d at %s.',
            parameters, len(images), samples, recipe.batch_size, valid_pictures,
            ', '.join(f'x{scale:g}' for scale in recipe.valid_scales),
        )  # fmt: skip
        if recipe.train_data is BenchmarkType.Photographs:
            _LOGGER.info(
                'The training pictures are the embedded photographs (%s): enough to see that everything works, too few for '
                'science.', ', '.join(file.name for file in images.files),
            )  # fmt: skip


def _refuse_other_configuration(checkpoint: Checkpoint, recipe: TrainingConfiguration, path: Path) -> None:
    """Raise unless the checkpoint was trained by this very recipe."""
    present = recipe.to_dict()
    names = sorted((set(present) | set(checkpoint.configuration)) - set(recipe.MAY_CHANGE_ON_RESUME))
    rows = [
        f'  {name}: {checkpoint.configuration.get(name, "absent")!r} in the file, {present.get(name, "absent")!r} in the recipe'
        for name in names
        if checkpoint.configuration.get(name, 'absent') != present.get(name, 'absent')
    ]
    if rows:
        raise CheckpointError(
            f'The checkpoint of this recipe, {path}, was trained with other settings:\n' + '\n'.join(rows) + '\n'
            'Restore them to continue it, or give the changed recipe a class or name of its own.'
        )


def _progress_bar(total: int, initial: int) -> tqdm:
    bar = tqdm(
        total=total, initial=initial, unit='sample', unit_scale=True, disable=None, smoothing=0.05, dynamic_ncols=True
    )
    bar.last_readout = 0.0
    return bar


def _psnr(mse: float) -> float:
    return -10 * math.log10(mse) if mse > 0 else math.inf


def _decibels(value: float | None) -> str:
    return 'not measured' if value is None else f'{value:.2f} dB'
