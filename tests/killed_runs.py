"""Runs in processes of their own, to be stopped and killed: forked from a warm one, so that each costs a moment."""

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from Models import SavedModelType
from Orchestrators.Prediction.file_names import checkpoint_path
from tests.conftest import PATIENCE
from tests.tiny import TrainTiny, train_in_process
from Utilities.Checkpoint import Checkpoint, content_hash

_forks = multiprocessing.get_context('forkserver')
_forks.set_forkserver_preload(['tests.warm'])


def fork(target: Callable[..., None], *arguments: Any) -> Any:
    """Start a process with torch already imported."""
    # The process that all are forked from, warm, is started by the first of them, and has to find our modules.
    before = os.environ.get('PYTHONPATH')
    os.environ['PYTHONPATH'] = str(Path(__file__).parents[1])
    try:
        process = _forks.Process(target=target, args=arguments)
        process.start()
    finally:
        if before is None:
            del os.environ['PYTHONPATH']
        else:
            os.environ['PYTHONPATH'] = before
    return process


def start(folder: Path, prepare: Callable[[], None] | None = None, **settings: Any) -> Any:
    """Train `TrainTiny(**settings)` in a folder, in a process group of its own; `prepare` is called there before.

    What it writes to the terminal goes to `output.txt`.
    """
    return fork(train_in_process, folder, folder / 'output.txt', settings, prepare)


def output_of(folder: Path) -> str:
    """What the runs in a folder have written to the terminal so far."""
    file = folder / 'output.txt'
    return file.read_text() if file.exists() else ''


def wait_for(condition: Callable[[], object], seconds: float = PATIENCE, *, process: Any = None) -> None:
    """Wait until something is true, or fail; at once if the process that is to make it true has ended."""
    end = time.monotonic() + seconds
    while not condition():
        has_ended = process is not None and process.exitcode is not None
        assert not has_ended or condition(), f'The process ended before with {process.exitcode}.'
        assert time.monotonic() < end, 'It did not happen.'
        time.sleep(0.003)


def stop_and_continue(folder: Path, stop: Callable[[Any], None], **settings: Any) -> list[int]:
    """Start a run again and again, each time stopped by `stop`, until it is through; returns the exit codes."""
    codes = []
    for _ in range(60):
        process = start(folder, **settings)
        stop(process)
        process.join(PATIENCE)
        assert process.exitcode is not None, output_of(folder)
        codes.append(process.exitcode)
        if process.exitcode == 0:
            return codes
    raise AssertionError('The run never came through: ' + output_of(folder))


def after_a_moment(number: signal.Signals, randomness: random.Random, whole_seconds: float) -> Callable[[Any], None]:
    """Send a signal after 5 to 25 % of what the whole run takes, and some time to start."""

    def stop(process: Any) -> None:
        process.join(0.15 + randomness.uniform(0.05, 0.25) * whole_seconds)
        if process.exitcode is None:
            os.kill(process.pid, number)

    return stop


def state_of(recipe: TrainTiny, kind: SavedModelType | int = SavedModelType.Last, folder: Path = Path()) -> Checkpoint:
    """A run's checkpoint."""
    return Checkpoint.load(folder / checkpoint_path(recipe, kind, recipe.save_path))


def fingerprint(checkpoint: Checkpoint) -> str:
    """Everything that training produced: weights, optimizers, schedules, progress; not what its pictures are called."""
    progress = {name: value for name, value in checkpoint.progress.items() if name != 'data'}
    return content_hash([checkpoint.network, checkpoint.learners, progress, checkpoint.rng])


def processes_of(*, group: int | None = None, parent: int | None = None) -> list[int]:
    """The living processes of a group, or the children of one; those that wait to be buried do not count."""
    found = []
    for folder in Path('/proc').glob('[0-9]*'):
        try:
            text = (folder / 'stat').read_text()
        except OSError:
            continue  # It ended meanwhile.
        # The name, in parentheses, may hold anything.
        state, its_parent, its_group = text.rpartition(')')[2].split()[:3]
        if state != 'Z' and group in {None, int(its_group)} and parent in {None, int(its_parent)}:
            found.append(int(folder.name))
    return found
