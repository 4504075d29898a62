"""DISTS: deep image structure and texture similarity, by torchmetrics.

Paper: Ding, Ma, Wang, Simoncelli, TPAMI 2020, https://arxiv.org/abs/2004.07728. On the whole picture, not reduced to
256 pixels as the authors' demo does. torchmetrics rather than piq, as its wheel holds the learned weights, which piq
would download; the VGG16 backbone is torchvision's ImageNet file, which has to be on the disk.
"""

from typing import ClassVar, Literal

from jaxtyping import Float
from torch import Tensor

from Models.Quality.QualityModel import QualityModel
from Utilities.optional import UnavailableError, import_optional, read_imagenet_weights


class DISTS(QualityModel):
    """Distance in structure and texture: 0 for equal pictures, at most 1; tolerant of textures drawn anew.

    Raises:
        UnavailableError: if the package or the backbone's weights are missing, with how to get them.
    """

    higher_is_better: ClassVar[bool] = False
    score_range: ClassVar[tuple[float, float]] = (0, 1)
    color: ClassVar[Literal['protocol', 'RGB']] = 'RGB'
    minimum_side: ClassVar[int] = 16
    """VGG16's poolings leave nothing of smaller pictures."""

    file: ClassVar[str] = 'vgg16-397923af.pth'
    needs: ClassVar[str] = 'torchmetrics, vgg16-397923af.pth'

    def __init__(self) -> None:
        super().__init__()
        backbone = read_imagenet_weights(self.file, 528, 'DISTS')
        library = import_optional('torchmetrics.functional.image.dists', 'DISTS', 'torchmetrics torchvision')
        try:
            # The library lets torchvision load the file that was just verified; it downloads only what is not there.
            self.network = library.DISTSNetwork()
            state = self.network.state_dict()
            layers = {key: f'features.{key.partition(".")[2]}' for key in state if key.endswith(('.weight', '.bias'))}
            self.network.load_state_dict(state | {key: backbone[layer] for key, layer in layers.items()})
        except (KeyError, RuntimeError, OSError) as error:
            raise UnavailableError(f'DISTS can not be used: {self.file} does not hold its weights: {error}') from error
        self.requires_grad_(False)
        self.eval()

    def forward(
        self, image: Float[Tensor, 'batch 3 height width'], reference: Float[Tensor, 'batch 3 height width']
    ) -> Float[Tensor, ' batch']:
        return self.network(image.float(), reference.float()).reshape(-1)
