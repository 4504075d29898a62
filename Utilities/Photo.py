"""A decoded picture, with all that its file says of what the numbers mean."""

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Pixels = npt.NDArray[np.uint8]


class ImageError(ValueError):
    """A picture that can't be used; the message begins with its path."""


@dataclasses.dataclass(frozen=True)
class Metadata:
    """Everything beside the pixels that changes how they are shown, as far as it can be carried into another file."""

    icc_profile: bytes | None = None
    """The color profile that the pixels refer to. None: sRGB, or what `png_chunks` say."""

    png_chunks: tuple[tuple[bytes, bytes], ...] = ()
    """Names and contents of a PNG's gAMA, cHRM, sRGB and cICP, in their order."""

    dpi: tuple[float, float] | None = None
    """Pixels per inch, horizontal and vertical."""

    exif: bytes = b''
    """EXIF without orientation, which has been applied; empty: none."""


@dataclasses.dataclass(frozen=True)
class Photo:
    """A decoded picture."""

    pixels: Pixels
    """(height, width, 3) in RGB."""

    alpha: Pixels | None
    """(height, width) opacity, if the file has one."""

    is_gray: bool
    """The file holds no colors; all three channels are equal."""

    note: str = ''
    """Conversions, if any: `16 bits scaled to 8`, `CMYK converted to RGB`."""

    metadata: Metadata = Metadata()

    def noting(self, note: str) -> 'Photo':
        """The same with one more note."""
        return dataclasses.replace(self, note=f'{self.note}, {note}' if self.note else note)


def eight_bits(values: npt.NDArray[Any]) -> Pixels:
    """Samples of 8 bits as they are, those of 16 scaled."""
    # 65535 / 255 = 257, so white stays white.
    return values if values.dtype == np.uint8 else ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)


def photo_of(values: npt.NDArray[Any], *, has_alpha: bool, note: str = '') -> Photo:
    """Pixels of 8 or 16 bits as a photo of 8.

    Args:
        values: (height, width, channels): gray or RGB, then opacity if there is one. 16 bits are scaled.
        has_alpha: the last channel is opacity.
        note: conversions so far.
    """
    if values.dtype == np.uint16:
        note = f'{note}, 16 bits scaled to 8' if note else '16 bits scaled to 8'
    values = eight_bits(values)
    alpha = np.ascontiguousarray(values[..., -1]) if has_alpha else None
    colors = values[..., :-1] if has_alpha else values
    is_gray = colors.shape[-1] == 1
    colors = np.repeat(colors, 3, axis=-1) if is_gray else np.ascontiguousarray(colors)
    return Photo(colors if alpha is None else _without_hidden_colors(colors, alpha), alpha, is_gray, note)


def _without_hidden_colors(colors: Pixels, alpha: Pixels) -> Pixels:
    """The colors, those under zero opacity replaced by the nearest that can be seen.

    They mean nothing (an editor leaves black there, or what was erased), but a network or a reduction would mix them
    into their neighbors.
    """
    hidden = alpha == 0
    if not hidden.any():
        return colors
    if hidden.all():
        return np.zeros_like(colors)
    row, column = ndimage.distance_transform_edt(hidden, return_distances=False, return_indices=True)
    return colors[row, column]
