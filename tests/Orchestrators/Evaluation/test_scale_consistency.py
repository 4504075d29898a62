"""Reducing the result gives back the input, measured against torch's own antialiased bicubic."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from Orchestrators.Evaluation.scale_consistency import scale_consistency
from tests.conftest import smooth_picture
from Utilities.images import to_tensor
from Utilities.resize import ResizeConvention, resize


def reduced_by_torch(sr: torch.Tensor, size: tuple[int, int], convention: str) -> torch.Tensor:
    """The same kernel by another implementation: cut off at the border as Pillow's, or mirrored as MATLAB's."""
    if convention == 'pillow':
        return functional.interpolate(sr, size, mode='bicubic', antialias=True)
    scale, border = sr.shape[2] // size[0], 4
    # The symmetric mirror, which torch's padding does not have, by whole LR pixels.
    wide = torch.cat([sr[:, :, : border * scale].flip(2), sr, sr[:, :, -border * scale :].flip(2)], 2)
    wide = torch.cat([wide[..., : border * scale].flip(3), wide, wide[..., -border * scale :].flip(3)], 3)
    larger = functional.interpolate(wide, (size[0] + 2 * border, size[1] + 2 * border), mode='bicubic', antialias=True)
    return larger[:, :, border:-border, border:-border]


@pytest.mark.parametrize('convention', ['pillow', 'matlab'])
def test_it_is_the_psnr_after_the_protocols_reduction(convention: ResizeConvention, random: torch.Generator) -> None:
    sr = torch.rand(1, 3, 36, 48, generator=random, dtype=torch.float64)
    lr = torch.rand(1, 3, 12, 16, generator=random, dtype=torch.float64)
    error = (reduced_by_torch(sr, (12, 16), convention) - lr).square().mean().item()
    # Pillow computes floating-point pictures in single precision.
    assert scale_consistency(sr, lr, convention) == pytest.approx(-10 * math.log10(error), abs=1e-4)


@pytest.mark.parametrize('convention', ['pillow', 'matlab'])
def test_the_true_picture_is_limited_by_rounding_alone(convention: ResizeConvention) -> None:
    """Rounding to 8 bits makes an error of 1/12 gray level squared: 58.9 dB; at most twice with that between passes."""
    # Far from black and white, where there would be nothing to round.
    hr = np.random.default_rng(0).integers(60, 196, (96, 120, 3), dtype=np.uint8)
    lr = resize(hr, (32, 40), convention)
    found = scale_consistency(to_tensor(hr)[None], to_tensor(lr)[None], convention)
    once = 10 * math.log10(12 * 255**2)
    assert once - 10 * math.log10(2) - 0.2 < found < once + 0.2


def test_another_color_or_another_kernel_costs() -> None:
    hr = smooth_picture(96, 120, 3)
    lr = to_tensor(resize(hr, (32, 40), 'pillow'))[None]
    brighter = (to_tensor(hr)[None] + 0.01).clamp(0, 1)
    assert scale_consistency(brighter, lr, 'pillow') == pytest.approx(40, abs=0.6)
    assert scale_consistency(to_tensor(hr)[None], lr, 'matlab') < scale_consistency(to_tensor(hr)[None], lr, 'pillow')


def test_the_same_picture_has_infinity(random: torch.Generator) -> None:
    lr = torch.rand(1, 3, 8, 9, generator=random)
    assert scale_consistency(lr, lr, 'matlab') == math.inf
