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
