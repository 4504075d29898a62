"""Reading TIFF: every tag that changes what the samples mean is obeyed here, or the file is refused by its name.

TIFF 6.0 (Adobe, 1992), https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf. tifffile reads the samples; where
it lacks the compression and the samples have 8 bits or fewer, Pillow does, which then interprets them too.
"""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from Utilities.Photo import ImageError, Metadata, Photo, eight_bits, photo_of

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _CMYK, _YCBCR = 0, 1, 2, 3, 5, 6
_KINDS = {4: 'a transparency mask', 8: 'CIELab', 9: 'ICCLab', 10: 'ITULab', 32803: 'a color filter array'}
_COLORS = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3, _PALETTE: 1, _CMYK: 4, _YCBCR: 3}
"""Samples of a pixel that are its color; more are extra samples."""

_PREMULTIPLIED, _OPACITY = 1, 2
_JPEG = (6, 7)
_UNSIGNED = 1
_QUARTER_TURNS = (5, 6, 7, 8)
_SIGNATURES = (b'II*\0', b'MM\0*', b'II+\0', b'MM\0+')

Samples = npt.NDArray[Any]
"""Of 8 or 16 bits, unsigned."""

_UPRIGHT: dict[int, Callable[[Samples], Samples]] = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.swapaxes(0, 1),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: stored[::-1, ::-1].swapaxes(0, 1),
    8: lambda stored: np.rot90(stored, 1),
}
"""By the tag Orientation: how the seen picture comes from the stored one."""


def is_tiff_file(path: Path) -> bool:
    """By its first bytes, whatever its name. A file that can't be opened is none."""
    try:
        with path.open('rb') as file:
            return file.read(4) in _SIGNATURES
    except OSError:
        return False


class TiffHeader(NamedTuple):
    """Size as the picture is seen, orientation applied."""

    height: int
    width: int
    is_gray: bool


def read_tiff_header(path: Path) -> TiffHeader:
    """The header of a TIFF's only page.

    Raises:
        ImageError: if it is damaged.
    """
    with _opened(path) as file:
        page = file.pages[0]
        height, width = page.imagelength, page.imagewidth
        is_gray = page.photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO)
        turned = _orientation(page) in _QUARTER_TURNS
    return TiffHeader(width, height, is_gray) if turned else TiffHeader(height, width, is_gray)


def read_tiff(path: Path) -> Photo:
    """Decode a TIFF of one page: 8 or 16 bits of gray or RGB; CMYK, palettes and fewer bits.

    Raises:
        ImageError: naming the tag that is not supported, or the damage.
    """
    with _opened(path) as file:
        page = file.pages[0]
        _refuse_unusable(path, file, page)
        metadata = _metadata(page)
        samples = _samples(path, page)
        if samples is None:
            return _by_pillow(path, page, metadata)
        samples = _upright(samples, _orientation(page))
        extra = tuple(int(kind) for kind in page.extrasamples)
        photometric = int(page.photometric)
        palette = page.colormap
    colors, note = _colors(samples[..., : _COLORS[photometric]], photometric, palette)
    place = next((place for place, kind in enumerate(extra) if kind in (_PREMULTIPLIED, _OPACITY)), None)
    if place is None:
        return _with(photo_of(colors, has_alpha=False, note=note), metadata)
    alpha = samples[..., _COLORS[photometric] + place, None]
    if extra[place] == _PREMULTIPLIED:
        colors = _divided(colors, alpha)
    return _with(photo_of(np.concatenate([colors, alpha], axis=-1), has_alpha=True, note=note), metadata)


def _with(photo: Photo, metadata: Metadata) -> Photo:
    return Photo(photo.pixels, photo.alpha, photo.is_gray, photo.note, metadata)


def _opened(path: Path) -> Any:  # noqa: ANN401  tifffile has no types
    try:
        import tifffile  # noqa: PLC0415  slow to import
    except ImportError as error:
        raise ImageError(f'{path} is a TIFF, which needs tifffile to be read: {error}') from error
    try:
        file = tifffile.TiffFile(path)
    except (tifffile.TiffFileError, struct.error, ValueError, IndexError, KeyError) as error:
        raise ImageError(f'{path} is not a readable picture: {error}.') from error
    if not len(file.pages):
        file.close()
        raise ImageError(f'{path} is not a readable picture: it holds no page.')
    return file


def _refuse_unusable(path: Path, file: Any, page: Any) -> None:  # noqa: ANN401
    pages = len(file.pages)
    if pages > 1:
        raise ImageError(f'{path} holds {pages} frames; save the one that is meant.')
    kind = page.photometric
    bits = page.bitspersample
    if not isinstance(bits, int):
        raise ImageError(f'{path} has channels of {bits} bits; save it with 8 or 16 bits in each.')
    if page.sampleformat != _UNSIGNED or bits > 16 or 8 < bits < 16:  # noqa: PLR2004
        form = {1: 'unsigned', 2: 'signed', 3: 'floating point'}.get(page.sampleformat, 'unknown')
        raise ImageError(f'{path} has {form} samples of {bits} bits; save it with 8 or 16 unsigned bits per channel.')
    if kind not in _COLORS:
        raise ImageError(f'{path} holds {_KINDS.get(kind, f"photometric kind {kind}")}; save it as RGB.')
    if kind == _CMYK and page.tags.valueof(332, 1) != 1:
        raise ImageError(f'{path} holds inks other than CMYK; save it as RGB.')
    if page.samplesperpixel < _COLORS[kind]:
        raise ImageError(f'{path} is damaged: {page.samplesperpixel} samples for {_COLORS[kind]} channels of color.')
    if kind == _YCBCR and page.compression not in _JPEG:
        raise ImageError(f'{path} holds YCbCr that is not compressed as JPEG; save it as RGB.')
    if kind == _PALETTE and (page.colormap is None or bits > 8):  # noqa: PLR2004
        raise ImageError(f'{path} has a palette of {bits} bits or none at all; save it as RGB.')
    size = path.stat().st_size
    if any(start + count > size for start, count in zip(page.dataoffsets, page.databytecounts, strict=False)):
        raise ImageError(f'{path} is not a readable picture: it is cut off.')


def _samples(path: Path, page: Any) -> Samples | None:  # noqa: ANN401
    """Samples as stored, (height, width, samples); None where tifffile can't, but Pillow may."""
    if page.photometric == _YCBCR or page.bitspersample < 8:  # noqa: PLR2004
        return None
    try:
        values = page.asarray()
    except (ValueError, RuntimeError, TypeError, NotImplementedError, OSError) as error:
        if 'imagecodecs' not in str(error):
            raise ImageError(f'{path} is not a readable picture: {error}.') from error
        if page.bitspersample > 8:  # noqa: PLR2004
            raise ImageError(
                f'{path} has 16 bits per channel and the compression {page.compression.name}, which needs imagecodecs '
                'to be read: pip install imagecodecs, or save it with deflate or without compression.'
            ) from error
        return None
    values = values.reshape(*page.shape)
    if page.samplesperpixel == 1:
        values = values.reshape(page.imagelength, page.imagewidth, 1)
    elif page.planarconfig == 2:  # noqa: PLR2004  plane after plane
        values = np.moveaxis(values, 0, -1)
    return values.astype(np.uint16 if page.bitspersample > 8 else np.uint8, copy=False)  # noqa: PLR2004


def _by_pillow(path: Path, page: Any, metadata: Metadata) -> Photo:  # noqa: ANN401
    """Compressed samples of up to 8 bits, which libtiff reads and Pillow interprets, orientation included."""
    with Image.open(path, formats=('TIFF',)) as image:
        image.load()
        has_alpha = image.mode in ('LA', 'La', 'PA', 'RGBA', 'RGBa')
        is_gray = image.mode in ('1', 'L', 'LA', 'La')
        note = f'{image.mode} converted to RGB' if image.mode in ('CMYK', 'YCbCr') else ''
        mode = ('L' if is_gray else 'RGB') + 'A' * has_alpha
        values = np.asarray(image.convert(mode))
    if values.shape[:2] != read_tiff_header(path)[:2]:
        raise ImageError(f'{path} is not a readable picture: orientation {_orientation(page)} was not applied.')
    values = values[..., None] if values.ndim == 2 else values  # noqa: PLR2004
    return _with(photo_of(values, has_alpha=has_alpha, note=note), metadata)


def _orientation(page: Any) -> int:  # noqa: ANN401
    value = page.tags.valueof(274, 1)
    return value if value in range(1, 9) else 1


def _upright(stored: Samples, orientation: int) -> Samples:
    """Undo how the picture lies in the file."""
    return _UPRIGHT[orientation](stored)


def _colors(samples: Samples, photometric: int, palette: npt.NDArray[np.uint16] | None) -> tuple[Samples, str]:
    """Gray or RGB from the samples that hold the color, and a note."""
    match photometric:
        case _ if photometric == _WHITE_IS_ZERO:
            return np.iinfo(samples.dtype).max - samples, ''
        case _ if photometric == _PALETTE:
            assert palette is not None
            # (3, entries) of 16 bits, whatever the pixels have: some write 257 times the 8-bit number, some 256 times.
            return (palette >> 8).astype(np.uint8).T[samples[..., 0]], ''
        case _ if photometric == _CMYK:
            eight = (
                samples if samples.dtype == np.uint8 else ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)
            )
            inks = Image.merge('CMYK', [Image.fromarray(np.ascontiguousarray(eight[..., ink])) for ink in range(4)])
            return np.asarray(inks.convert('RGB')), 'CMYK converted to RGB'
    return samples, ''


def _divided(colors: Samples, alpha: Samples) -> Samples:
    """Colors that were multiplied by the opacity, as they were before."""
    most = np.iinfo(colors.dtype).max
    if alpha.dtype != colors.dtype:  # CMYK of 16 bits has become 8.
        alpha = eight_bits(alpha)
    full = np.maximum(alpha.astype(np.uint64), 1)
    return np.minimum((colors.astype(np.uint64) * most + full // 2) // full, most).astype(colors.dtype)


def _metadata(page: Any) -> Metadata:  # noqa: ANN401
    profile = page.tags.valueof(34675)
    unit = page.tags.valueof(296, 2)
    per_inch = {2: 1.0, 3: 2.54}.get(unit)
    resolution = [page.tags.valueof(tag) for tag in (282, 283)]
    dpi = None
    if per_inch and all(isinstance(value, tuple) and value[1] and value[0] for value in resolution):
        horizontal, vertical = (value[0] / value[1] * per_inch for value in resolution)
        dpi = (horizontal, vertical)
    return Metadata(bytes(profile) if profile is not None else None, dpi=dpi)
