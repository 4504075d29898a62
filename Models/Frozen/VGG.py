"""VGG's features, as losses look at them: what a network that learned ImageNet sees in a picture.

Paper: Simonyan, Zisserman, ICLR 2015, https://arxiv.org/abs/1409.1556, configurations A, B, D and E. Weights:
torchvision's files. Checked with random weights against torchvision's layers and against the features of
XPixelGroup/BasicSR@8d56e3a (tests/references/gan_perceptual.npz).
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from Utilities.optional import UnavailableError, read_imagenet_weights

_WIDTHS = (64, 128, 256, 512, 512)
"""Channels of the five blocks."""


class _Published(NamedTuple):
    depths: tuple[int, ...]
    """Convolutions of the five blocks, each followed by a ReLU; a pooling that halves the sides ends the block."""

    file: str
    megabytes: int


PUBLISHED = {
    'vgg11': _Published((1, 1, 2, 2, 2), 'vgg11-8a719046.pth', 507),
    'vgg13': _Published((2, 2, 2, 2, 2), 'vgg13-19584684.pth', 508),
    'vgg16': _Published((2, 2, 3, 3, 3), 'vgg16-397923af.pth', 528),
    'vgg19': _Published((2, 2, 4, 4, 4), 'vgg19-dcbb9e9d.pth', 548),
}
"""The networks without batch normalization, by torchvision's names."""


def layers_of(vgg_type: str) -> tuple[str, ...]:
    """Names in the order of the network, such as `conv1_1`, `relu1_1`, ... `relu5_4`.

    `conv` is before, `relu` after the activation.
    """
    return tuple(
        f'{kind}{block}_{number}'
        for block, depth in enumerate(PUBLISHED[vgg_type].depths, start=1)
        for number in range(1, depth + 1)
        for kind in ('conv', 'relu')
    )


class VGG(nn.Module):
    """Frozen features by layer name. Gradients reach the picture, never the weights.

    Args:
        layers: names out of `layers_of`; the network ends with the deepest.
        vgg_type: which network, by torchvision's name: vgg11, vgg13, vgg16 or vgg19.
        normalize_input: subtract ImageNet's mean color and divide by its deviation, as the weights expect.

    Raises:
        ValueError: for an unknown network or layer.
        UnavailableError: if the weights are not on the disk; says how to get them.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, layers: Sequence[str], vgg_type: str = 'vgg19', *, normalize_input: bool = True) -> None:
        super().__init__()
        if vgg_type not in PUBLISHED:
            raise ValueError(f'vgg_type must be one of {", ".join(PUBLISHED)}, got {vgg_type!r}.')
        known = layers_of(vgg_type)
        unknown = [name for name in layers if name not in known]
        if unknown or not layers:
            raise ValueError(f'layers must be among {", ".join(known)}, got {", ".join(unknown) or "none"}.')
        self.layers = tuple(layers)
        self._names = tuple(_modules_of(vgg_type))
        self.features = _build(vgg_type, max(layers, key=known.index))
        self._load(vgg_type)
        # What the pictures of ImageNet were normalized with, as torchvision states it for these files.
        mean, deviation = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]) if normalize_input else ([0.0] * 3, [1.0] * 3)
        self.register_buffer('mean', torch.tensor(mean)[:, None, None])
        self.register_buffer('deviation', torch.tensor(deviation)[:, None, None])
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
        for name, layer in zip(self._names, self.features, strict=False):
            features = layer(features)
            if name in self.layers:
                found[name] = features
        return found

    def train(self, mode: bool = True) -> 'VGG':  # noqa: FBT001, FBT002  torch's signature
        """Stays as it is: frozen."""
        del mode
        return super().train(False)

    def _load(self, vgg_type: str) -> None:
        published, name = PUBLISHED[vgg_type], vgg_type.upper()
        weights = read_imagenet_weights(published.file, published.megabytes, name)
        wanted = self.features.state_dict()
        try:
            self.features.load_state_dict({key: weights[f'features.{key}'] for key in wanted})
        except (KeyError, RuntimeError) as error:
            raise UnavailableError(f'{published.file} does not hold the weights of {name}: {error}') from error


def _modules_of(vgg_type: str) -> Iterable[str]:
    """Names of all modules in a row, poolings included, which torchvision numbers from 0 on."""
    for name in layers_of(vgg_type):
        block, number = int(name[4]), int(name[6])
        if name.startswith('conv') and number == 1 and block > 1:
            yield f'pool{block - 1}'
        yield name


def _build(vgg_type: str, deepest: str) -> nn.Sequential:
    modules: list[nn.Module] = []
    channels = 3
    for name in _modules_of(vgg_type):
        if name.startswith('conv'):
            width = _WIDTHS[int(name[4]) - 1]
            modules.append(nn.Conv2d(channels, width, 3, padding=1))
            channels = width
        elif name.startswith('relu'):
            # Not in place: the convolution before it may be asked for.
            modules.append(nn.ReLU())
        else:
            modules.append(nn.MaxPool2d(2))
        if name == deepest:
            break
    return nn.Sequential(*modules)
