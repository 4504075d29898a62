"""Parts that may be missing on a machine: packages that the core does not need, weights that are too large to ship."""

import hashlib
import importlib
import pickle
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor

from Utilities.version import refuse_old_torch


class UnavailableError(RuntimeError):
    """Something optional can't be had on this machine; the message says why and how to get it."""


def import_optional(module: str, needed_by: str, packages: str) -> ModuleType:
    """Import a module of an optional package.

    Args:
        module: such as `piq`.
        needed_by: what does not work without it, for the message.
        packages: what to install, as pip takes it.

    Raises:
        UnavailableError: if it is missing or does not run here.
    """
    try:
        return importlib.import_module(module)
    # A torchvision that does not fit torch raises RuntimeError, a missing shared library OSError.
    except (ImportError, RuntimeError, OSError) as error:
        raise UnavailableError(
            f'{needed_by} can not be used: it needs the package {module.partition(".")[0]} ({error}). '
            f'pip install {packages}'
        ) from error


def read_imagenet_weights(file: str, size_mb: int, needed_by: str) -> dict[str, Tensor]:
    """Weights of a network that torchvision publishes, from the folder where torchvision looks for them.

    Nothing is downloaded: a table should not depend on a network, nor start with hundreds of megabytes unasked.

    Args:
        file: its published name, which carries the first digits of its SHA-256, such as `vgg16-397923af.pth`.
        size_mb: its size, for the message.
        needed_by: what does not work without it, for the message.

    Raises:
        UnavailableError: if the file is missing, is not the published one or can't be read.
    """
    refuse_old_torch()
    path = Path(torch.hub.get_dir()) / 'checkpoints' / file
    address = f'https://download.pytorch.org/models/{file}'
    if not path.is_file():
        raise UnavailableError(
            f'{needed_by} can not be used: its ImageNet weights are not at {path}. Download {address} there '
            f'({size_mb} MB).'
        )
    expected = path.stem.rpartition('-')[2]
    try:
        with path.open('rb') as stream:
            found = hashlib.file_digest(stream, 'sha256').hexdigest()
        if not found.startswith(expected):
            raise UnavailableError(
                f'{needed_by} can not be used: {path} is not the published file, its SHA-256 begins with {found[:8]} '
                f'instead of {expected}. Download {address} there again.'
            )
        weights: dict[str, Tensor] = torch.load(path, map_location='cpu', weights_only=True)
    except (OSError, EOFError, pickle.UnpicklingError) as error:
        raise UnavailableError(f'{needed_by} can not be used: {path} can not be read: {error}') from error
    return weights
