"""Normal noise that is a function of where it is, not of when it is asked for."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

_LOW_32_BITS = 0xFFFFFFFF


def pixel_noise(pixel: Int[Tensor, 'batch queries 2'], dim: int, *, seed: int) -> Float[Tensor, 'batch queries {dim}']:
    """Independent standard normal numbers for each pixel.

    They depend on the seed, the position in the batch, and the pixel alone, not on the other pixels of the call: a
    picture that is asked for in pieces gets the same noise as a whole, on any device. No generator is used.

    Args:
        pixel: (row, column).
        dim: numbers per pixel.
        seed: another seed gives other noise.
    """
    batch = torch.arange(pixel.shape[0], device=pixel.device)[:, None]
    state = torch.ones_like(batch)
    for key in (seed & _LOW_32_BITS, (seed >> 32) & _LOW_32_BITS, batch, pixel[..., 0], pixel[..., 1]):
        state = _mix((state + key) & _LOW_32_BITS)
    bits = _mix((state[..., None] + _mix(torch.arange(1, dim + 1, device=pixel.device))) & _LOW_32_BITS)
    # 23 bits, so that the half fits too: strictly between 0 and 1.
    return torch.special.ndtri(((bits >> 9).float() + 0.5) / 2**23)


def _mix(number: Int[Tensor, '*shape']) -> Int[Tensor, '*shape']:
    """A one-to-one function of 32 bits that leaves no visible order (of the kind of Wellons's hash-prospector)."""
    # Both factors are below 2^31, so that no product leaves the 63 bits of an integer.
    number = ((number ^ (number >> 16)) * 0x21F0AAAD) & _LOW_32_BITS
    number = ((number ^ (number >> 15)) * 0x735A2D97) & _LOW_32_BITS
    return number ^ (number >> 15)
