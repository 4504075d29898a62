"""Reading files that torch has saved, without running code from them, and saying what a file is that is none."""

import argparse
import contextlib
import errno
import pickle
import re
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from Utilities.file_limits import OversizedError, refuse_oversized_archive, refuse_oversized_content
from Utilities.version import refuse_old_torch

_READING_ERRORS = (
    OSError, RuntimeError, EOFError, KeyError, ValueError, TypeError, AttributeError, IndexError, MemoryError,
    zipfile.BadZipFile,
)  # fmt: skip
_MOST_NUMBERS = 1_000_000
"""Numbers in an array beside the weights, such as a history of losses."""

_GLOBAL = re.compile(r'GLOBAL ([\w.]+)')


class UnreadableError(ValueError):
    """A file that can't be read; the message says why, without the file's name."""


def read_torch_file(path: Path) -> object:
    """The content of a file that `torch.save` wrote: tensors, plain values, and what is as harmless.

    These are numbers and arrays of numpy, which become Python's, and `argparse.Namespace`, which becomes a dictionary.

    Raises:
        UnreadableError: if it holds anything else, is damaged, declares more than it holds, or is no such file.
        ValueError: for a torch that is too old to read files safely.
    """
    refuse_old_torch()
    try:
        with warnings.catch_warnings(), _harmless():
            # torch finds another pickle protocol worth a long warning; it either can read it, or is caught below.
            warnings.simplefilter('ignore')
            refuse_oversized_archive(path)
            content = _plain(torch.load(path, map_location='cpu', weights_only=True), {})
            refuse_oversized_content(content, path.stat().st_size)
    except OversizedError as error:
        raise UnreadableError(str(error)) from error
    except pickle.UnpicklingError as error:
        # torch's own text advises to load without weights_only, which would run code from the file.
        raise UnreadableError(other_kind(path) or _describe_global(error)) from error
    except _READING_ERRORS as error:
        # Of a file that is cut short, the system says that an argument is invalid.
        reason = error.strerror if isinstance(error, OSError) and error.errno != errno.EINVAL else None
        raise UnreadableError(other_kind(path) or reason or 'it is damaged, or of another kind') from error
    return content


def other_kind(path: Path) -> str | None:
    """A sentence on a file, by its first bytes, if they are known and those of no checkpoint."""
    try:
        with path.open('rb') as file:
            head = file.read(512)
    except OSError:
        return None
    for kind, signature in _SIGNATURES.items():
        if re.match(signature, head, re.DOTALL | re.IGNORECASE):
            return f'it is {kind}'
    return None


_SIGNATURES = {
    'empty': rb'$',
    'a pointer of git-lfs, not the file itself: fetch that by `git lfs pull`': rb'version https://git-lfs',
    'a web page, perhaps that of a download: fetch the file itself': rb'\s*(<!doctype html|<html|<\?xml|<head|<body)',
    'a text of JSON': rb'\s*[{\[]\s*["{\[\]}]',
    'a gzip archive: unpack it first': rb'\x1f\x8b',
    'a 7-Zip archive: unpack it first': rb'7z\xbc\xaf\x27\x1c',
    'a RAR archive: unpack it first': rb'Rar!',
    'an HDF5 file': rb'\x89HDF',
    'a PNG picture': rb'\x89PNG',
    'a JPEG picture': rb'\xff\xd8\xff',
    'a PDF': rb'%PDF',
    'an array of numpy': rb'\x93NUMPY',
    'a safetensors file: give it the ending .safetensors': rb'.{8}\{"',
    'a text': rb'[\t\n\r -~]+$',
}
"""Kinds of files that are taken for checkpoints, by their beginnings."""


def _describe_global(error: pickle.UnpicklingError) -> str:
    found = _GLOBAL.search(str(error))
    if found is None:
        return 'it is no checkpoint, or a damaged one'
    return (
        f'it holds an object of {found[1]}, which is more than weights and plain values, so reading it could run code; '
        'ask its maker for the weights alone (torch.save of a state_dict)'
    )


@contextlib.contextmanager
def _harmless() -> Iterator[None]:
    """Let torch's reader take what can do nothing, by an explicit list."""
    kinds = [kind for name in np.dtypes.__all__ if isinstance(kind := getattr(np.dtypes, name), type)]
    allowed: list[Any] = [
        np.dtype,
        *((_no_bytes, f'{module}.bytes') for module in ('builtins', '__builtin__')),
        (_Array, 'numpy.ndarray'),
        argparse.Namespace,
        *kinds,
    ]
    for module in ('numpy._core.multiarray', 'numpy.core.multiarray'):
        allowed += [(_scalar, f'{module}.scalar'), (_array, f'{module}._reconstruct')]
    with torch.serialization.safe_globals(allowed):
        yield


def _no_bytes() -> bytes:
    """Contents of an array without numbers."""
    return b''


def _scalar(kind: np.dtype[Any], content: bytes) -> object:
    """A number of numpy from its bytes, as Python's."""
    if kind.hasobject or not isinstance(content, bytes) or len(content) != kind.itemsize:
        raise pickle.UnpicklingError('GLOBAL numpy.object_')
    return np.frombuffer(content, kind)[0].item()


class _Array(np.ndarray):
    """An array of numpy as its files make it: empty, then filled with as many bytes as the file holds."""

    def __new__(cls, shape: tuple[int, ...] = (0,), *_: object) -> '_Array':
        if shape != (0,):
            raise pickle.UnpicklingError('GLOBAL numpy.ndarray')
        return super().__new__(cls, (0,), 'b')


def _array(_kind: type, shape: tuple[int, ...], _code: object) -> _Array:
    return _Array(shape)


def _plain(content: object, made: dict[int, object]) -> object:
    """Namespaces as dictionaries, arrays as lists; what is in several places is made once, so that none multiplies."""
    if id(content) in made:
        return made[id(content)]
    plain = content
    if isinstance(content, argparse.Namespace):
        plain = _plain(vars(content), made)
    elif isinstance(content, np.ndarray):
        if content.dtype.hasobject or content.size > _MOST_NUMBERS:
            raise OversizedError(f'it holds an array of {content.size} {content.dtype} beside the weights')
        plain = content.tolist()
    elif isinstance(content, dict):
        plain = {key: _plain(value, made) for key, value in content.items()}
    elif isinstance(content, list | tuple):
        entries = [_plain(value, made) for value in content]
        plain = tuple(entries) if type(content) is tuple else entries
    made[id(content)] = plain
    return plain
