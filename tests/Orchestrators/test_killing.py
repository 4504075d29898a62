"""Processes that are killed: the run itself, again and again, and its workers (FAULTS cases 5, 30 and 31)."""

import os
import random
import re
import signal
import time
from pathlib import Path

import pytest

import Datasets.loaders
from Configuration import Constant, MultiStep
from Datasets.TrainingCrops import TrainingCrops
from Models import SavedModelType
from Orchestrators.Prediction.file_names import checkpoint_path
from Orchestrators.TrainingOrchestrator import TrainingOrchestrator
from tests.conftest import PATIENCE, PictureMaker
from tests.killed_runs import fingerprint, output_of, processes_of, start, state_of, wait_for
from tests.tiny import TrainTiny

# One step per epoch, so that a checkpoint is written after each.
SAVES = {'epochs': 250, 'schedule': MultiStep((80,)), 'batch_size': 12, 'validate_every': 50}
ENDLESS = {'epochs': 100_000, 'schedule': Constant(), 'validate_every': 100_000, 'workers': 2}
LAST = checkpoint_path(TrainTiny(), SavedModelType.Last, '.')


@pytest.fixture(autouse=True)
def _pictures(make_pictures: PictureMaker) -> None:
    make_pictures()


@pytest.mark.parametrize('kills', [6, pytest.param(24, marks=pytest.mark.slow)])
def test_a_run_survives_every_kill(kills: int, tmp_path: Path) -> None:
    """FAULTS case 5: each time `last` is whole and no older; nothing is left over; the end is that of an own run."""
    TrainingOrchestrator(TrainTiny(save_path=str(tmp_path / 'undisturbed'), **SAVES)).train()
    expected = fingerprint(state_of(TrainTiny(), folder=tmp_path / 'undisturbed'))
    randomness, epochs, in_the_middle = random.Random(kills), [0], 0
    last = tmp_path / LAST
    for _ in range(kills):
        before = last.stat().st_mtime_ns if last.exists() else 0
        process = start(tmp_path, **SAVES)
        wait_for(lambda before=before: last.exists() and last.stat().st_mtime_ns > before, process=process)
        time.sleep(randomness.uniform(0, 0.08))
        process.kill()
        process.join(PATIENCE)
        assert process.exitcode == -signal.SIGKILL, output_of(tmp_path)
        in_the_middle += bool(list(tmp_path.glob('.tmp-*')))
        epochs.append(state_of(TrainTiny(), folder=tmp_path).progress['epoch'])
        assert epochs[-1] > epochs[-2]
    process = start(tmp_path, **SAVES)
    process.join(PATIENCE)
    assert process.exitcode == 0, output_of(tmp_path)
    assert fingerprint(state_of(TrainTiny(), folder=tmp_path)) == expected
    assert list(tmp_path.glob('**/.tmp-*')) == []
    assert kills < 20 or in_the_middle, 'no kill came in the middle of a save'


def test_workers_do_not_outlive_a_killed_run(tmp_path: Path) -> None:
    """FAULTS case 31, and 41: what it leaves behind is no obstacle."""
    process = start(tmp_path, **ENDLESS)
    wait_for((tmp_path / LAST).exists, process=process)
    assert len(processes_of(parent=process.pid)) == 2
    process.kill()
    process.join()
    wait_for(lambda: not processes_of(group=process.pid))
    again = start(tmp_path, **ENDLESS)
    wait_for(lambda: 'Continuing after epoch' in output_of(tmp_path), process=again)
    os.kill(again.pid, signal.SIGTERM)
    again.join(PATIENCE)
    assert again.exitcode == 143


def test_a_killed_worker_ends_the_run_and_leaves_the_last_checkpoint(tmp_path: Path) -> None:
    """FAULTS case 30: long before the time limit, with the worker, what it was about to read, and what may help."""
    process = start(tmp_path, **ENDLESS)
    wait_for((tmp_path / LAST).exists, process=process)
    (worker, *_) = processes_of(parent=process.pid)
    os.kill(worker, signal.SIGKILL)
    process.join(60)
    assert process.exitcode == 1, output_of(tmp_path)
    message = output_of(tmp_path).splitlines()[-1]
    # What is seen first: the worker's end, or that of its connection.
    forms = rf'(DataLoader worker \(pid(\(s\))? {worker}\)|.*Connection reset by peer)'
    assert re.match(rf'error: Epoch \d+, after batch \d+: {forms}', message), message
    assert 'memory has run out, or that in /dev/shm; lower workers' in message
    assert 'last.pth is whole; run the same command to go on from it.' in message
    assert state_of(TrainTiny(), folder=tmp_path).progress['epoch'] > 0
    wait_for(lambda: not processes_of(group=process.pid))


def hang() -> None:
    Datasets.loaders.SECONDS_TO_WAIT = 1
    getitems = TrainingCrops.__getitems__

    def stop_in_the_second_epoch(crops: TrainingCrops, positions: list) -> object:
        if positions[0].epoch == 2:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # As in a read from a drive that is gone.
            time.sleep(1000)
        return getitems(crops, positions)

    TrainingCrops.__getitems__ = stop_in_the_second_epoch  # type: ignore[method-assign]


def test_a_worker_that_hangs_is_not_waited_for_forever(tmp_path: Path) -> None:
    """FAULTS case 30: the run ends after the time limit, and so do the workers, whatever holds them."""
    process = start(tmp_path, hang, **ENDLESS | {'workers': 1})
    process.join(PATIENCE)
    assert process.exitcode == 1, output_of(tmp_path)
    message = output_of(tmp_path).splitlines()[-1]
    assert 'Epoch 2, after batch 0: DataLoader timed out after 1 seconds. Often, a drive does not answer' in message
    assert 'The next samples are cut from pictures/picture_' in message
    assert state_of(TrainTiny(), folder=tmp_path).progress['epoch'] == 1
    wait_for(lambda: not processes_of(group=process.pid))


def fail_for_memory() -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    TrainingCrops._sample = fail  # type: ignore[assignment]


def test_a_worker_that_raises_says_which_and_at_what(tmp_path: Path) -> None:
    """FAULTS case 30: also for an error without words."""
    process = start(tmp_path, fail_for_memory, **ENDLESS)
    process.join(PATIENCE)
    assert process.exitcode == 1
    message = output_of(tmp_path).splitlines()[-1]
    assert re.match(
        r'error: Epoch 1, after batch 0: Sample \d+ of epoch 1, from pictures/picture_\d\.png, failed in worker [01]: '
        r'MemoryError Nothing was saved yet',
        message,
    ), message
    wait_for(lambda: not processes_of(group=process.pid))
