"""Convolutional blocks that more than one network uses."""

from jaxtyping import Float
from torch import Tensor, nn


def conv3x3(channels_in: int, channels_out: int) -> nn.Conv2d:
    """3x3 convolution with bias that keeps height and width (zero padding)."""
    return nn.Conv2d(channels_in, channels_out, kernel_size=3, padding=1)


class ResidualBlock(nn.Module):
    """conv, ReLU, conv, scaled and added to the input; no normalization (EDSR, Lim et al., CVPRW 2017)."""

    def __init__(self, channels: int, res_scale: float) -> None:
        super().__init__()
        self.body = nn.Sequential(conv3x3(channels, channels), nn.ReLU(inplace=True), conv3x3(channels, channels))
        self.res_scale = res_scale

    def forward(self, features: Float[Tensor, 'batch channels h w']) -> Float[Tensor, 'batch channels h w']:
        residual = self.body(features)
        return features + (residual if self.res_scale == 1 else residual * self.res_scale)


def sub_pixel_factors(scale: int) -> list[int]:
    """The enlargements, one after the other, that a sub-pixel upsampler of this scale consists of.

    Raises:
        ValueError: if the scale is neither 3 nor a power of two.
    """
    if scale == 3:
        return [3]
    if scale < 2 or scale & (scale - 1):
        raise ValueError(f'The scale of an upsampler must be 3 or a power of two from 2 on, got {scale}.')
    return [2] * (scale.bit_length() - 1)


def sub_pixel_upsampler(channels: int, scale: int) -> nn.Sequential:
    """Convolution and pixel shuffle, for each factor of the scale (ESPCN, Shi et al., CVPR 2016)."""
    layers: list[nn.Module] = []
    for factor in sub_pixel_factors(scale):
        layers += [conv3x3(channels, channels * factor**2), nn.PixelShuffle(factor)]
    return nn.Sequential(*layers)
