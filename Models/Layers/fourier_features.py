"""Fourier features around an LR pixel, whose amplitudes and frequencies come from the image itself.

Lee and Jin, CVPR 2022, https://arxiv.org/abs/2111.08918, section 3. Two convolutions give each LR pixel `dim`
amplitudes and dim / 2 frequencies per axis, the cell gives the phases; a coordinate's features are the amplitudes times
[cos, sin](pi (frequency . offset + phase)).
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


def waves_of(
    features: Float[Tensor, 'batch channels h w'],
    coef: nn.Conv2d,
    freq: nn.Conv2d,
    *,
    interleaved: bool,
) -> Float[Tensor, 'batch pixels waves']:
    """Amplitudes and frequencies of each LR pixel, as one vector, to be fetched at once.

    Args:
        features: the encoder's output.
        coef: 3x3 convolution to `dim` amplitudes.
        freq: 3x3 convolution to `dim` frequencies, of which half go with y and half with x.
        interleaved: the frequencies' channels are (y, x, y, x, ...); else all of y, then all of x.

    Returns:
        `dim` amplitudes, then dim / 2 frequencies along y, then as many along x, both in radians.
    """
    weights, biases = zip(*wave_filters(coef, freq, interleaved=interleaved), strict=True)
    maps = functional.conv2d(features, torch.cat(weights), torch.cat(biases), padding=1)
    return maps.flatten(2).transpose(1, 2).contiguous()


def wave_filters(coef: nn.Conv2d, freq: nn.Conv2d, *, interleaved: bool) -> list[tuple[Tensor, Tensor]]:
    """Weights and biases of the 3x3 convolutions to amplitudes, to frequencies along y, and along x, both in radians.

    Args:
        coef, freq, interleaved: as for `waves_of`.
    """
    assert coef.bias is not None
    assert freq.bias is not None
    half = len(freq.weight) // 2
    along_y, along_x = (slice(0, None, 2), slice(1, None, 2)) if interleaved else (slice(half), slice(half, None))
    found = [(coef.weight, coef.bias)]
    return found + [(freq.weight[part] * math.pi, freq.bias[part] * math.pi) for part in (along_y, along_x)]


def parts_of(waves: Float[Tensor, '*batch waves']) -> tuple[Tensor, Tensor, Tensor]:
    """Amplitudes, frequencies along y and frequencies along x out of `waves_of`."""
    half = waves.shape[-1] // 4
    amplitude, along_y, along_x = waves.split([2 * half, half, half], dim=-1)
    return amplitude, along_y, along_x


def fourier_features(
    waves: Float[Tensor, '*batch waves'],
    offset: Float[Tensor, '*batch 2'],
    phase: Float[Tensor, '*#batch half'],
) -> Float[Tensor, '*batch dim']:
    """Features of a coordinate, seen from an LR pixel.

    Args:
        waves: of that pixel, from `waves_of`.
        offset: from that pixel to the coordinate, (y, x), where one LR pixel is 2.
        phase: dim / 2 phases, in half turns.
    """
    amplitude, along_y, along_x = parts_of(waves)
    angle = along_y * offset[..., :1] + along_x * offset[..., 1:] + phase * math.pi
    return amplitude * torch.cat([angle.cos(), angle.sin()], dim=-1)
