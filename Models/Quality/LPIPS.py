"""LPIPS: learned perceptual image patch similarity, by its authors' package.

Paper: Zhang, Isola, Efros, Shechtman, Wang, CVPR 2018, https://arxiv.org/abs/1801.03924. Version 0.1, AlexNet.
The package holds the learned heads; the AlexNet backbone is torchvision's ImageNet file, which has to be on the disk.
Nothing is downloaded here: a table should not depend on a network, nor start with 233 MB unasked.
"""

import hashlib
import pickle
import re
import warnings
from pathlib import Path
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from Models.Quality.QualityModel import QualityModel, UnavailableError

_FILE = 'alexnet-owt-7be5be79.pth'
_ADDRESS = f'https://download.pytorch.org/models/{_FILE}'


class LPIPS(QualityModel):
    """Perceptual distance: 0 for equal pictures, about 0.6 for unrelated ones.

    Raises:
        UnavailableError: if the package or the backbone's weights are missing, with how to get them.
    """

    higher_is_better: ClassVar[bool] = False
    color: ClassVar[Literal['protocol', 'RGB']] = 'RGB'
    minimum_side: ClassVar[int] = 31
    """AlexNet's poolings leave nothing of smaller pictures."""

    def __init__(self) -> None:
        super().__init__()
        backbone = _read_backbone(Path(torch.hub.get_dir()) / 'checkpoints' / _FILE)
        try:
            import lpips  # noqa: PLC0415  slow, and needs torchvision
        except (ImportError, RuntimeError, OSError) as error:
            raise UnavailableError(f'LPIPS needs the packages lpips and torchvision: {error}') from error
        with warnings.catch_warnings():
            # lpips still uses torchvision's old argument names.
            warnings.simplefilter('ignore', UserWarning)
            self.network = lpips.LPIPS(net='alex', pnet_rand=True, verbose=False)
        features = {key: tensor for key, tensor in backbone.items() if key.startswith('features.')}
        # lpips cuts AlexNet's layers into five slices that keep the layers' numbers.
        numbers = {key: re.sub(r'^slice\d\.', 'features.', key) for key in self.network.net.state_dict()}
        try:
            self.network.net.load_state_dict({key: features[official] for key, official in numbers.items()})
        except (KeyError, RuntimeError) as error:
            raise UnavailableError(f'{_FILE} does not hold the weights of AlexNet: {error}') from error
        self.requires_grad_(False)
        self.eval()

    def forward(
        self, image: Float[Tensor, 'batch 3 height width'], reference: Float[Tensor, 'batch 3 height width']
    ) -> Float[Tensor, ' batch']:
        return self.network(image.float(), reference.float(), normalize=True).flatten()


def _read_backbone(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise UnavailableError(
            f'LPIPS is left out: its AlexNet weights are not at {path}. Download {_ADDRESS} there (233 MB).'
        )
    # The file's name carries the first digits of its SHA-256.
    expected = path.stem.rpartition('-')[2]
    with path.open('rb') as file:
        found = hashlib.file_digest(file, 'sha256').hexdigest()
    if not found.startswith(expected):
        raise UnavailableError(
            f'LPIPS is left out: {path} is not the published file, its SHA-256 begins with {found[:8]} instead of '
            f'{expected}. Download {_ADDRESS} there again.'
        )
    try:
        return torch.load(path, map_location='cpu', weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise UnavailableError(f'LPIPS is left out: {path} can not be read: {error}') from error
