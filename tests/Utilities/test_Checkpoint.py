"""Checkpoints are written whole or not at all, and verified when read (FAULTS cases 6 to 8, 10 to 13, 35 and 44)."""

import errno
import os
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest
import torch

from Utilities import Checkpoint as checkpoint_module
from Utilities.Checkpoint import Checkpoint, CheckpointError, CheckpointWriteError, content_hash, previous_of


def example(value: float = 1.0) -> Checkpoint:
    network = {'weight': torch.full((100, 100), value), 'count': torch.tensor(3)}
    optimizer = {
        'state': {0: {'exp_avg': torch.full((7,), value)}},
        'param_groups': [{'lr': 1e-3, 'betas': (0.9, 0.99)}],
    }
    learners = {'super_resolver': {'optimizer': optimizer}}
    return Checkpoint(
        {'encoder': 'EDSR'}, network, {'epoch': 2, 'best': None}, learners, rng={'cpu': torch.get_rng_state()}
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / 'model_states_last.pth'


def test_what_was_saved_is_read(path: Path) -> None:
    saved = example()
    saved.save(path)
    loaded = Checkpoint.load(path)
    assert content_hash(vars(loaded)) == content_hash(vars(saved))
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_the_hash_sees_every_change() -> None:
    content: dict[str, Any] = {'a': torch.zeros(2, 3), 'b': [1, 2.0, None], 'c': {'d': 'text'}}
    changed = [
        content | {'a': torch.zeros(3, 2)},
        content | {'a': torch.zeros(2, 3, dtype=torch.float64)},
        content | {'a': -torch.zeros(2, 3)},
        content | {'b': [1, 2, None]},
        content | {'c': {'D': 'text'}},
        {key: value for key, value in content.items() if key != 'c'},
    ]
    assert len({content_hash(entry) for entry in [content, *changed]}) == 1 + len(changed)


DAMAGES = {
    'cut at 0': lambda content: content[:0],
    'cut at 1000': lambda content: content[:1000],
    'cut in half': lambda content: content[: len(content) // 2],
    'one byte short': lambda content: content[:-1],
    'git-lfs pointer': lambda _: b'version https://git-lfs.github.com/spec/v1\noid sha256:00\n',
    'web page': lambda _: b'<!DOCTYPE html><html><body>404</body></html>',
    'zeros': lambda content: bytes(len(content)),
    'noise': lambda content: bytes((7 * number) % 251 for number in range(len(content))),
}


@pytest.mark.parametrize('damage', DAMAGES)
def test_a_damaged_file_is_recognized_and_the_previous_one_used(
    damage: str, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    example(1.0).save(path)
    example(2.0).save(path)
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    with pytest.raises(CheckpointError, match='is not a readable checkpoint') as error:
        Checkpoint.load(path)
    assert str(path) in str(error.value)
    assert 'weights_only' not in str(error.value)
    found = Checkpoint.load_newest(path)
    assert found is not None
    assert found.network['weight'][0, 0] == 1.0
    assert str(path) in caplog.text
    # Nothing was deleted, and a later save can't push the damaged file into the previous one's place.
    assert path.with_name(path.name + '.damaged').exists()
    example(3.0).save(path)
    assert Checkpoint.load(previous_of(path)).network['weight'][0, 0] == 1.0


def test_one_flipped_bit_is_recognized(path: Path) -> None:
    """Anywhere in the weights or the optimizer's state; torch alone would load most of these."""
    example().save(path)
    content = path.read_bytes()
    random = torch.Generator().manual_seed(0)
    places = torch.randint(0, 100 * 100 * 4, (20,), generator=random) + content.index(
        torch.full((64,), 1.0).numpy().tobytes()
    )
    for place in places.tolist():
        flipped = bytearray(content)
        flipped[place] ^= 1 << (place % 8)
        path.write_bytes(flipped)
        with pytest.raises(CheckpointError, match='do not match their recorded sha256|is not a readable checkpoint'):
            Checkpoint.load(path)


def test_when_all_are_damaged_nothing_is_changed(path: Path) -> None:
    example(1.0).save(path)
    example(2.0).save(path)
    for file in (path, previous_of(path)):
        file.write_bytes(b'damaged')
    with pytest.raises(CheckpointError, match='No checkpoint of this run can be read') as error:
        Checkpoint.load_newest(path)
    assert str(path) in str(error.value)
    assert str(previous_of(path)) in str(error.value)
    assert path.read_bytes() == previous_of(path).read_bytes() == b'damaged'


def test_a_missing_file_names_what_is_there(path: Path) -> None:
    example().save(path)
    with pytest.raises(
        CheckpointError, match=r'There is no checkpoint .*other\.pth\. In .* there are: model_states_last'
    ):
        Checkpoint.load(path.with_name('other.pth'))
    assert Checkpoint.load_newest(path.with_name('other.pth')) is None


def test_a_foreign_file_is_refused(path: Path) -> None:
    torch.save({'model': {'weight': torch.zeros(1)}}, path)
    with pytest.raises(CheckpointError, match='was not written by this framework'):
        Checkpoint.load(path)
    torch.save({'format': 99, 'sha256': ''}, path)
    with pytest.raises(CheckpointError, match='has format 99, and this version reads 1, 2 and 3'):
        Checkpoint.load(path)


def test_code_in_a_file_does_not_run(path: Path, tmp_path: Path) -> None:
    marker = tmp_path / 'marker'

    class Malicious:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.system, (f'touch {marker}',)

    torch.save({'format': 1, 'sha256': '', 'network': Malicious()}, path)
    with pytest.raises(CheckpointError, match='is not a readable checkpoint'):
        Checkpoint.load(path)
    assert not marker.exists()


@pytest.mark.parametrize('function', ['torch.save', 'os.fsync', 'os.replace', 'os.link'])
def test_a_failing_save_leaves_the_previous_file(function: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example(1.0).save(path)
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(f'Utilities.Checkpoint.{function}', fail)
    if function == 'os.link':  # A file system without hard links: the copy takes its place.
        example(2.0).save(path)
        assert previous_of(path).read_bytes() == before
        return
    with pytest.raises(CheckpointWriteError, match='No space left on device') as error:
        example(2.0).save(path)
    assert str(path) in str(error.value)
    assert path.read_bytes() == before
    assert list(path.parent.glob('.tmp-*')) == []


def test_the_file_is_on_the_disk_before_it_takes_its_name(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    for name in ('fsync', 'replace'):
        original = getattr(os, name)
        monkeypatch.setattr(
            checkpoint_module.os, name, lambda *arguments, n=name, f=original: (calls.append(n), f(*arguments))[1]
        )
    example().save(path)
    assert calls == ['fsync', 'replace', 'fsync']


def test_files_follow_the_umask(path: Path) -> None:
    for mask, mode in ((0o022, 0o644), (0o077, 0o600)):
        before = os.umask(mask)
        try:
            example().save(path)
        finally:
            os.umask(before)
        assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_copied_checkpoint_is_the_same(path: Path) -> None:
    example().save(path)
    shutil.copy(path, path.with_name('copy.pth'))
    assert Checkpoint.load(path.with_name('copy.pth')).progress == {'epoch': 2, 'best': None}
