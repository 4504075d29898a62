"""Files that torch has saved: what is harmless is read, the rest is refused by what it is (fault 9)."""

import argparse
import gzip
import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from Utilities.safe_reading import UnreadableError, read_torch_file

NUMBERS = [
    np.float64(3.25), np.float32(3.25), np.float16(3.25), np.int64(-3), np.int32(-3), np.uint8(3), np.bool_(True),
]  # fmt: skip
ARRAYS = [
    np.arange(6).reshape(2, 3), np.asfortranarray(np.arange(6.0).reshape(2, 3)), np.zeros((0, 2)), np.float32([1, 2]),
    np.array([True, False]), np.array(2.5), np.arange(10)[::3],
]  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / 'file.pth'


@pytest.mark.parametrize('number', NUMBERS, ids=lambda number: type(number).__name__)
def test_a_number_of_numpy_is_read(number: Any, path: Path) -> None:
    torch.save({'best': number, 'weight': torch.ones(2)}, path)
    content = read_torch_file(path)
    assert content['best'] == number.item()
    assert type(content['best']) is type(number.item())
    assert torch.equal(content['weight'], torch.ones(2))


@pytest.mark.parametrize('array', ARRAYS, ids=lambda array: f'{array.dtype}-{array.shape}')
def test_an_array_of_numpy_is_read_as_a_list(array: Any, path: Path) -> None:
    torch.save({'history': [array, array]}, path)
    assert read_torch_file(path) == {'history': [array.tolist(), array.tolist()]}


def test_arguments_of_a_command_are_read_as_a_dictionary(path: Path) -> None:
    torch.save({'args': argparse.Namespace(lr=1e-4, data=argparse.Namespace(scale=[2, 4])), 'epoch': 3}, path)
    assert read_torch_file(path) == {'args': {'lr': 1e-4, 'data': {'scale': [2, 4]}}, 'epoch': 3}


class Runs:
    """Reading this runs a command."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ('touch attacked',)


@pytest.mark.parametrize(
    'hidden',
    [
        Runs(),
        [argparse.Namespace(inside=Runs())],
        np.array([Runs()], dtype=object),
        {np.float64(1): Runs()},
        np.array([Runs(), None], dtype=object).reshape(2, 1),
    ],
    ids=['bare', 'in a namespace', 'in an array', 'beside a number', 'in a matrix'],
)
def test_code_is_refused_whatever_it_hides_in(
    hidden: Any, path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({'model': hidden}, path)
    with pytest.raises(UnreadableError):
        read_torch_file(path)
    assert not Path('attacked').exists()


def test_a_class_of_its_maker_is_named(path: Path) -> None:
    torch.save({'optimizer': pickle.Unpickler}, path)
    with pytest.raises(UnreadableError, match=r'an object of pickle\.Unpickler, which is more than weights'):
        read_torch_file(path)


def test_an_array_may_not_claim_more_than_it_holds(path: Path) -> None:
    torch.save({'a': np.zeros(1_000_001, dtype=np.uint8)}, path)
    with pytest.raises(UnreadableError, match='an array of 1000001 uint8'):
        read_torch_file(path)


OTHERS: dict[str, tuple[bytes, str]] = {
    'lfs': (b'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 6\n', 'pointer of git-lfs.*git lfs pull'),
    'page': (b'<!DOCTYPE html><html><body>Sign in</body></html>', 'a web page'),
    'page, later': (b'\n\n  <html lang="en">', 'a web page'),
    'xml': (b'<?xml version="1.0"?><Error>AccessDenied</Error>', 'a web page'),
    'json': (json.dumps({'error': 'not found'}).encode(), 'a text of JSON'),
    'text': (b'Too many requests\n', 'a text'),
    'empty': (b'', 'it is empty'),
    'gzip': (gzip.compress(b'weights'), 'a gzip archive: unpack it first'),
    'png': (b'\x89PNG\r\n\x1a\n' + bytes(20), 'a PNG picture'),
    'hdf5': (b'\x89HDF\r\n\x1a\n' + bytes(20), 'an HDF5 file'),
    'safetensors': ((2).to_bytes(8, 'little') + b'{"a":1}', 'a safetensors file'),
    'numpy': (b'\x93NUMPY\x01\x00', 'an array of numpy'),
}


@pytest.mark.parametrize('kind', OTHERS)
def test_another_kind_of_file_is_named(kind: str, path: Path) -> None:
    content, message = OTHERS[kind]
    path.write_bytes(content)
    with pytest.raises(UnreadableError, match=message) as caught:
        read_torch_file(path)
    assert 'could run code' not in str(caught.value)


@pytest.mark.parametrize('part', [0.1, 0.5, 0.99])
def test_a_part_of_a_checkpoint_is_damaged(part: float, path: Path) -> None:
    torch.save({'weight': torch.arange(1000.0)}, path)
    path.write_bytes(path.read_bytes()[: int(part * path.stat().st_size)])
    with pytest.raises(UnreadableError, match='damaged'):
        read_torch_file(path)
