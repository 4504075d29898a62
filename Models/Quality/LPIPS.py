"""LPIPS: learned perceptual image patch similarity, by its authors' package.

Paper: Zhang, Isola, Efros, Shechtman, Wang, CVPR 2018, https://arxiv.org/abs/1801.03924. Version 0.1, AlexNet.
The package holds the learned heads; the backbone is torchvision's ImageNet file, which has to be on the disk.
"""

import re
import warnings
from typing import ClassVar, Literal

from jaxtyping import Float
from torch import Tensor

from Models.Quality.QualityModel import QualityModel
from Utilities.optional import UnavailableError, import_optional, read_imagenet_weights


class LPIPS(QualityModel):
    """Perceptual distance: 0 for equal pictures, about 0.6 for unrelated ones.

    Raises:
        UnavailableError: if the package or the backbone's weights are missing, with how to get them.
    """

    higher_is_better: ClassVar[bool] = False
    score_range: ClassVar[tuple[float, float]] = (0, 1)
    color: ClassVar[Literal['protocol', 'RGB']] = 'RGB'
    minimum_side: ClassVar[int] = 31
    """AlexNet's poolings leave nothing of smaller pictures."""

    net: ClassVar[str] = 'alex'
    """The package's name for the backbone."""

    file: ClassVar[str] = 'alexnet-owt-7be5be79.pth'
    size_mb: ClassVar[int] = 233
    needs: ClassVar[str] = 'alexnet-owt-7be5be79.pth'

    def __init__(self) -> None:
        super().__init__()
        name = type(self).__name__
        backbone = read_imagenet_weights(self.file, self.size_mb, name)
        lpips = import_optional('lpips', name, 'lpips torchvision')
        with warnings.catch_warnings():
            # lpips still uses torchvision's old argument names.
            warnings.simplefilter('ignore', UserWarning)
            self.network = lpips.LPIPS(net=self.net, pnet_rand=True, verbose=False)
        # lpips cuts the layers into slices that keep the layers' numbers.
        numbers = {key: re.sub(r'^slice\d\.', 'features.', key) for key in self.network.net.state_dict()}
        try:
            self.network.net.load_state_dict({key: backbone[official] for key, official in numbers.items()})
        except (KeyError, RuntimeError) as error:
            raise UnavailableError(f'{name} can not be used: {self.file} does not hold its weights: {error}') from error
        self.requires_grad_(False)
        self.eval()

    def forward(
        self, image: Float[Tensor, 'batch 3 height width'], reference: Float[Tensor, 'batch 3 height width']
    ) -> Float[Tensor, ' batch']:
        return self.network(image.float(), reference.float(), normalize=True).flatten()
