"""VGG19's features, as losses look at them: what a network that learned ImageNet sees in a picture.

Paper: Simonyan, Zisserman, ICLR 2015, https://arxiv.org/abs/1409.1556, configuration E. Weights: torchvision's file.
"""

from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from Utilities.optional import UnavailableError, read_imagenet_weights

_FILE = 'vgg19-dcbb9e9d.pth'
_MEGABYTES = 548
_WIDTHS = (64, 128, 256, 512, 512)
"""Channels of the five blocks."""

_DEPTHS = (2, 2, 4, 4, 4)
"""Convolutions of the five blocks, each followed by a ReLU; a pooling that halves the sides ends the block."""

LAYERS = tuple(
    f'{kind}{block}_{number}'
    for block, depth in enumerate(_DEPTHS, start=1)
    for number in range(1, depth + 1)
    for kind in ('conv', 'relu')
)
"""Names in the order of the network: `conv1_1`, `relu1_1`, ... `relu5_4`."""


class VGG19(nn.Module):
    """Frozen features by layer name. Gradients reach the picture, never the weights.

    Args:
        layers: names out of `LAYERS`; the network ends with the deepest.

    Raises:
        ValueError: for an unknown layer.
        UnavailableError: if the weights are not on the disk; says how to get them.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, layers: Sequence[str]) -> None:
        super().__init__()
        unknown = [name for name in layers if name not in LAYERS]
        if unknown or not layers:
            raise ValueError(f'layers must be among {", ".join(LAYERS)}, got {", ".join(unknown) or "none"}.')
        self.layers = tuple(layers)
        self.features = _build(max(LAYERS.index(name) for name in layers))
        weights = read_imagenet_weights(_FILE, _MEGABYTES, 'VGG19')
        wanted = self.features.state_dict()
        try:
            self.features.load_state_dict({key: weights[f'features.{key}'] for key in wanted})
        except (KeyError, RuntimeError) as error:
            raise UnavailableError(f'{_FILE} does not hold the weights of VGG19: {error}') from error
        # What the pictures of ImageNet were normalized with, as torchvision states it for this file.
        self.register_buffer('mean', torch.tensor([0.485, 0.456, 0.406])[:, None, None])
        self.register_buffer('deviation', torch.tensor([0.229, 0.224, 0.225])[:, None, None])
        self.requires_grad_(False)
        self.eval()

    @property
    def minimum_side(self) -> int:
        """Height and width that a picture needs, in pixels, for the deepest layer to have any."""
        return 2 ** (max(int(name[4]) for name in self.layers) - 1)

    def forward(
        self, image: Float[Tensor, 'batch 3 height width']
    ) -> dict[str, Float[Tensor, 'batch channels inner_h inner_w']]:
        """The features of an image in [0, 1], by layer name."""
        found = {}
        features = (image - self.mean) / self.deviation
        for name, layer in zip(_names(), self.features, strict=False):
            features = layer(features)
            if name in self.layers:
                found[name] = features
        return found

    def train(self, mode: bool = True) -> 'VGG19':  # noqa: FBT001, FBT002  torch's signature
        """Stays as it is: frozen."""
        del mode
        return super().train(False)


def _names() -> Iterable[str]:
    """Names of all modules in a row, poolings included, which torchvision numbers from 0 on."""
    for name in LAYERS:
        block, number = int(name[4]), int(name[6])
        if name.startswith('conv') and number == 1 and block > 1:
            yield f'pool{block - 1}'
        yield name


def _build(deepest: int) -> nn.Sequential:
    modules: list[nn.Module] = []
    channels = 3
    for name in _names():
        if name.startswith('conv'):
            width = _WIDTHS[int(name[4]) - 1]
            modules.append(nn.Conv2d(channels, width, 3, padding=1))
            channels = width
        elif name.startswith('relu'):
            # Not in place: the convolution before it may be asked for.
            modules.append(nn.ReLU())
        else:
            modules.append(nn.MaxPool2d(2))
        if name == LAYERS[deepest]:
            break
    return nn.Sequential(*modules)
