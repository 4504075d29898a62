"""Checkpoints that declare more than they hold are refused before memory is taken for it (FAULTS case 37)."""

import io
import pickle
import resource
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from Models.published_checkpoints import read_published
from Utilities.Checkpoint import Checkpoint, CheckpointError
from Utilities.file_limits import OversizedError, refuse_oversized_archive, refuse_oversized_content

READERS = [Checkpoint.load, read_published]
LIMIT = 64 * 1024**2


@pytest.fixture(params=READERS, ids=['Checkpoint', 'published'])
def read(request: pytest.FixtureRequest) -> Callable[[Path], object]:
    return request.param


def refused(read: Callable[[Path], object], file: Path) -> str:
    """Read a file that must be refused, within seconds and without taking memory; the message."""
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    with pytest.raises((CheckpointError, ValueError)) as caught:
        read(file)
    assert time.process_time() - start < 3
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < LIMIT
    assert str(file) in str(caught.value)
    return str(caught.value)


def rewritten(file: Path, changes: dict[str, bytes], **settings: int) -> Path:
    """A file of torch's with other entries."""
    result = file.with_name(f'changed_{file.name}')
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(result, 'w', **settings) as target:
        for entry in source.infolist():
            part = entry.filename.partition('/')[2]
            target.writestr(entry.filename, changes.get(part, source.read(entry)))
    return result


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    file = tmp_path / 'weights.pth'
    torch.save({'weight': torch.arange(10.0)}, file)
    return file


def test_what_torch_writes_is_within_the_limits(tmp_path: Path) -> None:
    file = tmp_path / 'weights.pth'
    tied = torch.zeros(1000, 1000)
    content = {'a': tied, 'b': tied, 'c': tied.T, 'many': {str(number): torch.zeros(2) for number in range(2000)}}
    torch.save(content, file)
    refuse_oversized_archive(file)
    refuse_oversized_content(torch.load(file, weights_only=True), file.stat().st_size)


@pytest.fixture(scope='module')
def gigabyte_of_zeros(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp('bomb') / 'bomb.pth'
    with zipfile.ZipFile(file, 'w', zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr('archive/data.pkl', b'')
        with archive.open('archive/data/0', 'w', force_zip64=True) as entry:
            for _ in range(1024):
                entry.write(bytes(1024**2))
    assert file.stat().st_size < 10 * 1024**2
    return file


def test_a_gigabyte_of_zeros_in_some_megabytes_is_refused(
    read: Callable[[Path], object], gigabyte_of_zeros: Path
) -> None:
    assert f'unpack to {1024**3} bytes' in refused(read, gigabyte_of_zeros)


def test_a_million_entries_are_refused(read: Callable[[Path], object], tmp_path: Path) -> None:
    """Written by hand, as zipfile would take half a minute: empty entries that share one local header."""
    file = tmp_path / 'entries.pth'
    local = struct.pack('<4s5H3L2H', b'PK\x03\x04', 20, 0, 0, 0, 0, 0, 0, 0, 1, 0) + b'a'
    entry = struct.pack('<4s6H3L5H2L', b'PK\x01\x02', 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b'a'
    count = 1_000_000
    size = count * len(entry)
    end64 = struct.pack('<4sQ2H2L4Q', b'PK\x06\x06', 44, 45, 45, 0, 0, count, count, size, len(local))
    locator = struct.pack('<4sLQL', b'PK\x06\x07', 0, len(local) + size, 1)
    end = struct.pack('<4s4H2LH', b'PK\x05\x06', 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    file.write_bytes(local + count * entry + end64 + locator + end)
    assert zipfile.is_zipfile(file)
    assert 'declares 1000000 entries' in refused(read, file)


def test_a_list_of_names_that_lies_about_its_number_is_refused_too(tmp_path: Path) -> None:
    file = tmp_path / 'entries.pth'
    end = struct.pack('<4s4H2LH', b'PK\x05\x06', 0, 0, 1, 1, 40_000_000, 4, 0)
    file.write_bytes(b'PK\x03\x04' + end)
    with pytest.raises(OversizedError, match='40000000 bytes of names'):
        refuse_oversized_archive(file)


@pytest.mark.parametrize('size', [(10**6, 10**7), (2**31, 2**31)])
def test_a_tensor_that_is_expanded_beyond_its_memory_is_refused(
    read: Callable[[Path], object], size: tuple[int, int], tmp_path: Path
) -> None:
    """It takes four bytes in the file, and a hash of it 40 TB."""
    file = tmp_path / 'expanded.pth'
    torch.save({'format': 1, 'sha256': '', 'network': {'weight': torch.zeros(1).expand(size)}}, file)
    assert f'claim {4 * size[0] * size[1]} bytes' in refused(read, file)


def test_a_storage_that_declares_more_than_its_entry_is_refused(read: Callable[[Path], object], saved: Path) -> None:
    """The pickle says 2^40 numbers, the entry has ten; without torch's own check this would read beyond its memory."""
    with zipfile.ZipFile(saved) as archive:
        name = next(name for name in archive.namelist() if name.endswith('/data.pkl'))
        pickled = archive.read(name)
    assert pickled.count(b'K\ntq') == 1
    huge = b'\x8a\x06' + (2**40).to_bytes(6, 'little')
    changed = rewritten(saved, {'data.pkl': pickled.replace(b'K\ntq', huge + b'tq')})
    refused(read, changed)
    refused(read, rewritten(saved, {'data.pkl': pickled.replace(b'K\x00K\n\x85', b'K\x00' + huge + b'\x85')}))


def test_the_old_format_with_a_huge_storage_is_refused(read: Callable[[Path], object], tmp_path: Path) -> None:
    """It has no list of sizes: torch reserves what the pickle declares, but touches it only as far as the file goes."""
    file = tmp_path / 'old.pth'
    torch.save({'weight': torch.arange(10.0)}, file, _use_new_zipfile_serialization=False)
    content = file.read_bytes()
    assert content.count(b'K\nNtq') == 1
    for count in (2**30, 2**46):
        changed = tmp_path / f'old_{count}.pth'
        changed.write_bytes(content.replace(b'K\nNtq', b'\x8a\x06' + count.to_bytes(6, 'little') + b'Ntq'))
        refused(read, changed)


def test_lists_that_multiply_are_refused(read: Callable[[Path], object], tmp_path: Path) -> None:
    """Ten lists of the next ten, ten levels deep: a hundred objects that a walk would take for 10^10."""
    value: object = 0
    for _ in range(10):
        value = [value] * 10
    deep: object = 0
    for _ in range(200):
        deep = [deep]
    for number, content in enumerate((value, deep)):
        file = tmp_path / f'lists_{number}.pth'
        torch.save({'format': 1, 'sha256': '', 'network': content}, file)
        assert 'nests more than' in refused(read, file)


def test_a_pickle_alone_is_left_to_its_reader(tmp_path: Path) -> None:
    file = tmp_path / 'weights.pth'
    stream = io.BytesIO()
    pickle.dump({'a': 1}, stream)
    file.write_bytes(stream.getvalue())
    refuse_oversized_archive(file)
