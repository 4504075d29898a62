"""Bicubic resizing under the two conventions that the field uses, each with its own name.

`pillow`: Pillow's antialiased bicubic. LIIF and its successors train with it and test with it above x4. The target size
is stretched over the picture; at the borders the kernel is cut off and renormalized; 8-bit values are rounded after
each of the two passes.

`matlab`: MATLAB's `imresize`, which made the LR files of the benchmarks. The border pixels are mirrored. On 8-bit input
MATLAB rounds between the two passes: with that, the official Set5 files X2, X3 and X4 come out exactly; the official X8
files, made by another tool, come out exactly without.

Both use the cubic kernel of Keys (1981, https://doi.org/10.1109/TASSP.1981.1163711) with a = -0.5, widened by the scale
when reducing. They differ by up to 16 gray levels at the borders, so they are not to be mixed.
"""

import math
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

ResizeConvention = Literal['pillow', 'matlab']
Picture = TypeVar('Picture', npt.NDArray[np.uint8], npt.NDArray[np.float32], npt.NDArray[np.float64])
"""(height, width) or (height, width, channels)."""


def resize(
    picture: Picture,
    size: tuple[int, int],
    convention: ResizeConvention,
    *,
    scale: tuple[float, float] | None = None,
    rounds_between_passes: bool = True,
) -> Picture:
    """Resize a picture by bicubic interpolation, antialiased when reducing.

    Args:
        picture: (height, width) or (height, width, channels), uint8 or floating point of any range.
        size: (height, width) of the result; any real scale per axis follows from it.
        convention: `pillow` or `matlab`; see above.
        scale: result size over picture size per axis, for `matlab` only. None: their quotient. MATLAB's
            `imresize(picture, s)` keeps the nominal scale s and makes ceil(s n) pixels; then give s here.
        rounds_between_passes: for `matlab` and uint8 only: round to whole values between the passes, as MATLAB does.

    Returns:
        A picture of the same type; uint8 is rounded and clipped, floating point is neither.

    Raises:
        ValueError: for a size below 1 or an unknown convention.
    """
    if min(size) < 1:
        raise ValueError(f'The size to resize to must be at least 1x1, got {size[0]}x{size[1]}.')
    if convention == 'pillow':
        return _resize_pillow(picture, size)
    if convention == 'matlab':
        nominal = scale or (size[0] / picture.shape[0], size[1] / picture.shape[1])
        return _resize_matlab(picture, size, nominal, rounds_between_passes)
    raise ValueError(f"convention must be 'pillow' or 'matlab', got {convention!r}.")


def _resize_pillow(picture: Picture, size: tuple[int, int]) -> Picture:
    target = (size[1], size[0])
    if picture.dtype == np.uint8:
        return np.asarray(Image.fromarray(picture).resize(target, Image.Resampling.BICUBIC))
    planes = picture[..., None] if picture.ndim == 2 else picture  # noqa: PLR2004
    resized = [
        Image.fromarray(np.ascontiguousarray(planes[..., channel], dtype=np.float32)).resize(
            target, Image.Resampling.BICUBIC
        )
        for channel in range(planes.shape[-1])
    ]
    stacked = np.stack([np.asarray(plane) for plane in resized], axis=-1)
    return stacked.reshape(*size, *picture.shape[2:]).astype(picture.dtype)


def _resize_matlab(
    picture: Picture, size: tuple[int, int], scale: tuple[float, float], rounds_between_passes: bool
) -> Picture:
    is_8bit = picture.dtype == np.uint8
    values = picture.astype(np.float64)
    # The axis that shrinks more goes first; rows when both shrink alike.
    for axis in (0, 1) if scale[0] <= scale[1] else (1, 0):
        weights, indices = _contributions(values.shape[axis], size[axis], scale[axis])
        gathered = np.moveaxis(values, axis, 0)[indices]  # (size, taps, other axis, ...)
        values = np.moveaxis(np.einsum('nt,nt...->n...', weights, gathered), 0, axis)
        if is_8bit and rounds_between_passes:
            values = _round_half_up(values)
    return _round_half_up(values).astype(np.uint8) if is_8bit else values.astype(picture.dtype)


def _round_half_up(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.clip(np.floor(values + 0.5), 0, 255)


def _contributions(
    count_in: int, count_out: int, scale: float
) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.intp]]:
    """For each output pixel along one axis: the input pixels it sees and their weights, both (count_out, taps)."""
    shrink = min(scale, 1.0)
    width = 4 / shrink
    # Pixel i covers [i, i + 1): output centers, mapped onto the input axis, in pixels whose centers are whole numbers.
    centers = (np.arange(count_out) + 0.5) / scale - 0.5
    first = np.floor(centers - width / 2)
    indices = (first[:, None] + np.arange(math.ceil(width) + 2)).astype(np.intp)
    weights = _cubic((centers[:, None] - indices) * shrink)
    weights /= weights.sum(axis=1, keepdims=True)
    seen = np.any(weights != 0, axis=0)
    indices, weights = indices[:, seen], weights[:, seen]
    # Mirrored with the border pixel repeated: ... 1 0 | 0 1 2 ... n-1 | n-1 n-2 ...
    indices = np.mod(indices, 2 * count_in)
    return weights, np.where(indices < count_in, indices, 2 * count_in - 1 - indices)


def _cubic(distance: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Keys' kernel with a = -0.5."""
    x = np.abs(distance)
    near = ((1.5 * x - 2.5) * x) * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))  # noqa: PLR2004
