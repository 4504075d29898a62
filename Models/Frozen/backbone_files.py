"""torchvision's ImageNet files, which have to be on the disk.

Nothing is downloaded here: neither a table nor a training run should depend on a network, nor start with hundreds of
megabytes unasked.
"""

import hashlib
import pickle
from pathlib import Path

import torch
from torch import Tensor

_ADDRESS = 'https://download.pytorch.org/models/'


class BackboneError(ValueError):
    """Weights that are missing or not the published ones; the message names the file and what to do."""


def read_backbone(file: str, network: str, megabytes: int) -> dict[str, Tensor]:
    """Weights from torch's cache folder, verified.

    Args:
        file: name of torchvision's file, which carries the first digits of its SHA-256.
        network: what the file holds, for messages.
        megabytes: its size, for messages.

    Raises:
        BackboneError: if it is missing, or not the published file.
    """
    path = Path(torch.hub.get_dir()) / 'checkpoints' / file
    if not path.is_file():
        raise BackboneError(
            f'its {network} weights are not at {path}. Download {_ADDRESS}{file} there ({megabytes} MB).'
        )
    expected = path.stem.rpartition('-')[2]
    with path.open('rb') as opened:
        found = hashlib.file_digest(opened, 'sha256').hexdigest()
    if not found.startswith(expected):
        raise BackboneError(
            f'{path} is not the published file, its SHA-256 begins with {found[:8]} instead of {expected}. Download '
            f'{_ADDRESS}{file} there again.'
        )
    try:
        weights = torch.load(path, map_location='cpu', weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise BackboneError(f'{path} can not be read: {error}') from error
    return weights
