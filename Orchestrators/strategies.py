"""How a picture goes through a network: (model, lr, size) -> sr. And the baseline that every table carries."""

from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from Models.SuperResolver import SuperResolver
from Models.TestingStrategy import TestingStrategy
from Utilities.images import to_pixels, to_tensor
from Utilities.resize import resize

Predictor = Callable[[Float[Tensor, '1 3 h w'], tuple[int, int]], Float[Tensor, '1 3 height width']]
"""From an LR image in [0, 1] and a size (height, width) to an image of that size in [0, 1]."""


def predictor_of(
    model: SuperResolver, strategy: TestingStrategy, device: torch.device, queries_per_chunk: int | None
) -> Predictor:
    """A network, used by a strategy.

    Args:
        model: the network, already on `device`.
        strategy: how.
        device: where it computes; pictures come and go on the CPU.
        queries_per_chunk: coordinates per query; None: chosen for the device.
    """
    match strategy:
        case TestingStrategy.Simple:
            return partial(_whole, model, device, queries_per_chunk)


def _whole(
    model: SuperResolver,
    device: torch.device,
    queries_per_chunk: int | None,
    lr: Float[Tensor, '1 3 h w'],
    size: tuple[int, int],
) -> Float[Tensor, '1 3 height width']:
    return model.upscale(lr.to(device), size, queries_per_chunk=queries_per_chunk).cpu()


def bicubic(lr: Float[Tensor, '1 3 h w'], size: tuple[int, int]) -> Float[Tensor, '1 3 height width']:
    """The baseline: the 8-bit LR picture enlarged as MATLAB's `imresize` does, rounded to 8 bits once, at the end.

    This is the route behind the bicubic rows of the EDSR and LIIF papers; Set5 gives 33.68 dB on Y at x2.
    """
    pixels = resize(to_pixels(lr[0].cpu()), size, 'matlab', rounds_between_passes=False)
    return to_tensor(pixels)[None]
