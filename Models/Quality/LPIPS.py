"""LPIPS: learned perceptual image patch similarity, by its authors' package.

Paper: Zhang, Isola, Efros, Shechtman, Wang, CVPR 2018, https://arxiv.org/abs/1801.03924. Version 0.1, AlexNet.
The package holds the learned heads; the AlexNet backbone is torchvision's ImageNet file, which has to be on the disk.
"""

import re
import warnings
from typing import ClassVar, Literal

from jaxtyping import Float
from torch import Tensor

from Models.Frozen.backbone_files import BackboneError, read_backbone
from Models.Quality.QualityModel import QualityModel, UnavailableError

_FILE = 'alexnet-owt-7be5be79.pth'
_MEGABYTES = 233


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
        try:
            backbone = read_backbone(_FILE, 'AlexNet', _MEGABYTES)
        except BackboneError as error:
            raise UnavailableError(f'LPIPS is left out: {error}') from error
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
