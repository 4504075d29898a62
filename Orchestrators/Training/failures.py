"""What a run that can't go on says: where it happened, to what, and what may help."""

import dataclasses
from typing import Any

import torch

from Datasets.loaders import EpochBatches
from Datasets.SampleSource import Batch, SampleSource
from Orchestrators.Steps.FiniteCheck import NotFiniteError
from Orchestrators.Training.Progress import Progress
from Utilities.memory import peak_memory


class StepOutOfMemoryError(RuntimeError):
    """A training step needed more memory than there is; the message says how large it was."""


@dataclasses.dataclass(frozen=True)
class BatchNames:
    """Names batches as people look for them."""

    samples: SampleSource[Any]
    batches: EpochBatches

    def name(self, epoch: int, batch: int) -> str:
        """A batch, counted from 1 within its epoch, and which step of the run it is."""
        step = (epoch - 1) * self.batches.batches_per_epoch + batch
        return f'Epoch {epoch}, batch {batch} (step {step})'

    def list_files(self, epoch: int, batch: int) -> str:
        """The pictures that the samples of a batch, counted from 1, were cut from."""
        files = {
            self.samples.file_of(position.sample): None for position in self.batches.positions_of(epoch, batch - 1)
        }
        return ', '.join(str(file) for file in files)


def describe_failure(error: BaseException, progress: Progress, names: BatchNames | None) -> str:
    """Where a run failed, and why.

    Args:
        error: what was raised.
        progress: how far the run is.
        names: of the batches; None before the first.
    """
    epoch, done = progress.epoch + 1, progress.batch
    text = str(error).strip() or type(error).__name__
    if isinstance(error, NotFiniteError) and names is not None:
        return (
            f'{names.name(epoch, error.batch)}: {text}. The weights are as they were before it. Its samples are cut '
            f'from {names.list_files(epoch, error.batch)}.'
        )
    if isinstance(error, StepOutOfMemoryError) and names is not None:
        return f'{names.name(epoch, done + 1)}: {text}'
    if 'Original Traceback' in text:
        # What came out of a worker carries its whole traceback; the last line is the message.
        text = text.splitlines()[-1].partition(': ')[2]
    elif ('DataLoader' in text or isinstance(error, ConnectionError | EOFError)) and names is not None:
        return _describe_lost_worker(text, epoch, done, names)
    return f'Epoch {epoch}, after batch {done}: {text}'


def _describe_lost_worker(text: str, epoch: int, done: int, names: BatchNames) -> str:
    waited_for = ''
    if done < names.batches.batches_per_epoch:
        waited_for = f' The next samples are cut from {names.list_files(epoch, done + 1)}.'
    hint = (
        'a drive does not answer, or a picture takes too long; see the setting cache'
        if 'timed out' in text
        else 'memory has run out, or that in /dev/shm; lower workers, and see the setting cache'
    )
    return f'Epoch {epoch}, after batch {done}: {text.rstrip(". ")}. Often, {hint}.{waited_for}'


def raise_if_out_of_memory(error: RuntimeError, batch: Batch, device: torch.device) -> None:
    """Raise StepOutOfMemoryError if that is what an error of a training step means; never make the batch smaller."""
    # The CPU's allocator has no exception of its own.
    if not isinstance(error, torch.OutOfMemoryError) and "can't allocate memory" not in str(error):
        return
    raise StepOutOfMemoryError(
        f'out of memory, with {batch.describe()}; at most {_peak_memory(device)} were in use. Lower batch_size, and '
        'raise accumulate as much to keep the results; or lower queries or input_patch; or set '
        "precision = 'bfloat16'."
    ) from error


def _peak_memory(device: torch.device) -> str:
    whose = 'of the GPU' if device.type == 'cuda' else 'by this process'
    return f'{peak_memory(device) / 2**30:.1f} GiB {whose}'
