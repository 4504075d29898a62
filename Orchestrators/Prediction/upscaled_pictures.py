"""From a photo to a file of its upscaled picture: rounded to bytes piece by piece, gray and transparency kept."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from Orchestrators.Prediction.memory_plan import HeldMemory
from Orchestrators.Prediction.prediction import NetworkPredictor, Piece
from Orchestrators.Prediction.tiff import write_tiff
from Utilities.images import Photo, Pixels, to_pixels, to_tensor, write_photo
from Utilities.memory import MIB, free_memory

# Its pixels as RGBA, and as Pillow holds them while it writes.
_PNG_BYTES = 8


def is_tiff(path: Path) -> bool:
    """Whether a file is to be a TIFF, by its name."""
    return path.suffix.lower() in ('.tif', '.tiff')


def refuse_without_memory(size: tuple[int, int], max_memory: int | None) -> None:
    """Refuse a PNG file that would not fit into the memory, as it is written from the whole picture.

    Args:
        size: (height, width).
        max_memory: MiB that may be used; None: half of what the machine has left.

    Raises:
        ValueError: naming TIFF, which is written piece by piece.
    """
    need = size[0] * size[1] * _PNG_BYTES
    limit = max_memory * MIB if max_memory is not None else free_memory() // 2
    if need > limit:
        what = '--max-memory' if max_memory is not None else 'half of the free memory'
        raise ValueError(
            f'A PNG of {size[1]}x{size[0]} pixels takes {need // MIB} MiB of memory, more than {what}, {limit // MIB} '
            'MiB. A TIFF is written while it is made: give --output name.tif.'
        )


def upscale_photo(predict: NetworkPredictor, photo: Photo, size: tuple[int, int]) -> Photo:
    """A photo, super-resolved to (height, width); gray stays gray, transparency is enlarged with the colors."""
    held = HeldMemory(always=size[0] * size[1] * _PNG_BYTES)
    pixels = np.empty((*size, 1 if photo.is_gray else 3), np.uint8)
    alpha = None if photo.alpha is None else np.empty(size, np.uint8)
    first = 0
    for band in _bands(photo, size, predict.pieces(to_tensor(photo.pixels)[None], size, held)):
        rows = slice(first, first + len(band))
        pixels[rows] = band[..., : pixels.shape[2]]
        if alpha is not None:
            alpha[rows] = band[..., -1]
        first = rows.stop
    # Of gray, one channel that is seen three times.
    colors = np.broadcast_to(pixels, (*size, 3)) if photo.is_gray else pixels
    return Photo(colors, alpha, photo.is_gray, metadata=photo.metadata)


def write_upscaled(path: Path, predict: NetworkPredictor, photo: Photo, size: tuple[int, int]) -> None:
    """Super-resolve one picture into a PNG or TIFF file; a TIFF is written while it is made."""
    if not is_tiff(path):
        write_photo(path, upscale_photo(predict, photo, size))
        return
    shape = (*size, (1 if photo.is_gray else 3) + (photo.alpha is not None))
    held = HeldMemory(per_row=2 * size[1] * shape[2])
    bands = _bands(photo, size, predict.pieces(to_tensor(photo.pixels)[None], size, held))
    write_tiff(path, shape, bands, photo.metadata)


def _bands(photo: Photo, size: tuple[int, int], pieces: Iterator[Piece]) -> Iterator[Pixels]:
    """Rows of the result from top to bottom, (rows, width, channels)."""
    for (top, bottom), row in itertools.groupby(pieces, key=lambda piece: (piece.rows.start, piece.rows.stop)):
        band = np.empty((bottom - top, size[1], (1 if photo.is_gray else 3) + (photo.alpha is not None)), np.uint8)
        for _, columns, image in row:
            colors = to_pixels(image[0])
            if photo.is_gray:
                # The network sees three equal channels and answers with nearly equal ones.
                colors = np.rint(colors.mean(axis=-1, keepdims=True)).astype(np.uint8)
            band[:, columns.start : columns.stop, : colors.shape[2]] = colors
        if photo.alpha is not None:
            band[..., -1] = _opacity(photo.alpha, size, top, bottom)
        yield band


def _opacity(alpha: Pixels, size: tuple[int, int], top: int, bottom: int) -> Pixels:
    """Some rows of the enlarged opacity, which is no photograph: interpolation is what it needs."""
    height, width = alpha.shape
    box = (0, top * height / size[0], width, bottom * height / size[0])
    return np.asarray(Image.fromarray(alpha).resize((size[1], bottom - top), Image.Resampling.BICUBIC, box))
