"""Whatever ends a process in the middle of a save, a whole checkpoint stays (FAULTS cases 5, 6, 8 and 11)."""

import multiprocessing
import os
import random
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.conftest import PATIENCE
from tests.killed_runs import wait_for
from Utilities import Checkpoint as checkpoint_module
from Utilities.Checkpoint import Checkpoint, CheckpointError, CheckpointWriteError, content_hash, previous_of

# Nothing but files is touched in them, so no warm process is needed.
_forks = multiprocessing.get_context('fork')


def fork(target: Callable[..., None], *arguments: Any) -> Any:
    process = _forks.Process(target=target, args=arguments)
    process.start()
    return process


def example(value: float, numbers: int = 10_000) -> Checkpoint:
    optimizer = {'state': {0: {'exp_avg': torch.full((numbers,), value + 0.5)}}}
    learners = {'super_resolver': {'optimizer': optimizer}}
    return Checkpoint({}, {'weight': torch.full((numbers,), value)}, {'epoch': int(value)}, learners)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / 'model_states_last.pth'


def save_in_place(checkpoint: Checkpoint, path: Path) -> None:
    """The mistake of the negative controls: as nearly every training script does it."""
    content = {name: value for name, value in vars(checkpoint).items() if name != 'format'}
    torch.save(content | {'format': Checkpoint.FORMAT, 'sha256': content_hash(content)}, path)


def save_for_ever(path: Path, save: Callable[[Checkpoint, Path], None]) -> None:
    for value in range(1_000_000):
        save(example(value, 500_000), path)


def kill_at_random(path: Path, save: Callable[[Checkpoint, Path], None], kills: int) -> list[bool]:
    """Kill a process that does nothing but save, again and again; returns whether the file was whole each time."""
    randomness, whole = random.Random(0), []
    for _ in range(kills):
        process = fork(save_for_ever, path, save)
        present = path.stat().st_mtime_ns if path.exists() else 0
        wait_for(lambda present=present: path.exists() and path.stat().st_mtime_ns > present, process=process)
        time.sleep(randomness.uniform(0, 0.1))
        process.kill()
        process.join()
        try:
            Checkpoint.load(path)
            whole.append(True)
        except CheckpointError:
            whole.append(False)
    return whole


def test_a_file_that_is_saved_in_place_and_whole_is_read(path: Path) -> None:
    """So that the negative control finds what killing does, and nothing else."""
    save_in_place(example(3), path)
    assert Checkpoint.load(path).progress['epoch'] == 3


@pytest.mark.parametrize('kills', [8, pytest.param(40, marks=pytest.mark.slow)])
def test_a_process_that_only_saves_can_be_killed_at_any_time(kills: int, path: Path) -> None:
    """FAULTS case 5."""
    assert kill_at_random(path, Checkpoint.save, kills) == [True] * kills


@pytest.mark.parametrize('kills', [8, pytest.param(40, marks=pytest.mark.slow)])
def test_saving_in_place_would_be_found(kills: int, path: Path) -> None:
    """FAULTS case 5, the negative control."""
    whole = kill_at_random(path, save_in_place, kills)
    assert whole.count(False) >= kills / 8, whole


def end_in(place: str, path: Path) -> None:
    """Save, and end without a word, as by kill -9, in a place of it."""
    calls: list[str] = []

    def then_end(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            calls.append(name)
            before, number = place.split(maxsplit=1)[0] == 'before', int(place.split()[2])
            ends = place.split()[1] == name and calls.count(name) == number
            if ends and before:
                os._exit(7)
            result = original(*arguments, **named)
            if ends:
                os._exit(7)
            return result

        return call

    for module, name in ((checkpoint_module.torch, 'save'), (os, 'fsync'), (os, 'replace'), (os, 'link')):
        setattr(module, name, then_end(name, getattr(module, name)))
    example(3).save(path)


# The first replace is of the previous file, the second of the file itself; the second fsync is of the folder.
PLACES = {
    'before save 1': 2, 'after save 1': 2, 'before fsync 1': 2, 'after fsync 1': 2, 'before link 1': 2,
    'after link 1': 2, 'before replace 1': 2, 'after replace 1': 2, 'before replace 2': 2, 'after replace 2': 3,
    'before fsync 2': 3, 'after fsync 2': 3,
}  # fmt: skip


@pytest.mark.parametrize('place', PLACES)
def test_a_crash_in_any_place_of_a_save_leaves_one_file_or_the_other(place: str, path: Path) -> None:
    """FAULTS case 6: by what `last` holds afterwards, and that what is left over is no obstacle."""
    example(1).save(path)
    example(2).save(path)
    process = fork(end_in, place, path)
    process.join(PATIENCE)
    assert process.exitcode == 7
    assert Checkpoint.load(path).progress['epoch'] == PLACES[place]
    assert Checkpoint.load(previous_of(path)).progress['epoch'] in {1, 2}
    found = Checkpoint.load_newest(path)
    assert found is not None
    assert found.progress['epoch'] == PLACES[place]
    checkpoint_module.remove_leftovers(path)
    assert sorted(file.name for file in path.parent.iterdir()) == [path.name, previous_of(path).name]
    example(4).save(path)
    assert Checkpoint.load(path).progress['epoch'] == 4


def save_within(limit: int, path: Path) -> None:
    """On a disk that holds no larger file; the exit code tells what was found wrong."""
    before = path.read_bytes()
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    message = ''
    try:
        example(2).save(path)
    except CheckpointWriteError as error:
        message = str(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert path.read_bytes() == before
    path.with_name('message.txt').write_text(message)


@pytest.mark.parametrize('limit', [0, 10_000, 50_000])
def test_a_full_disk_leaves_the_old_file_and_no_stump(limit: int, path: Path) -> None:
    """FAULTS case 8: 80 kB do not fit; the message names the file, why, and how much it needs."""
    example(1).save(path)
    process = fork(save_within, limit, path)
    process.join(PATIENCE)
    assert process.exitcode == 0
    message = path.with_name('message.txt').read_text()
    assert message.startswith(f'{path} could not be written: ')
    assert 'Is the disk full? It needs some 0.1 MB; ' in message
    assert sorted(file.name for file in path.parent.iterdir()) == ['message.txt', path.name]


@pytest.mark.skipif(not Path('/dev/full').exists(), reason='needs /dev/full')
def test_a_disk_without_room_is_told_as_the_system_does(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FAULTS case 8, with the error that a disk gives: writing to /dev/full."""
    example(1).save(path)
    before = path.read_bytes()
    open_file = Path.open
    monkeypatch.setattr(
        Path,
        'open',
        lambda file, mode='r', **named: open_file(Path('/dev/full') if '.tmp-' in file.name else file, mode, **named),
    )
    with pytest.raises(CheckpointWriteError, match='No space left on device') as error:
        example(2).save(path)
    assert str(path) in str(error.value)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize('part', ['weights', 'optimizer'])
def test_a_bit_that_flips_in_weights_or_optimizer_is_found(part: str, path: Path) -> None:
    """FAULTS case 11: at 20 places of each; the previous file takes over."""
    example(1).save(path)
    example(2).save(path)
    content = path.read_bytes()
    moments = example(2).learners['super_resolver']['optimizer']['state'][0]['exp_avg']
    value = example(2).network['weight'][0] if part == 'weights' else moments[0]
    first = content.index(value.expand(1000).numpy().tobytes())
    places = random.Random(0).sample(range(first, first + 4 * 10_000), 20)
    for place in places:
        flipped = bytearray(content)
        flipped[place] ^= 1 << (place % 8)
        path.write_bytes(flipped)
        with pytest.raises(CheckpointError, match='is not a readable checkpoint'):
            Checkpoint.load(path)
    found = Checkpoint.load_newest(path)
    assert found is not None
    assert found.progress['epoch'] == 1
