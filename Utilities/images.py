"""Reading and writing pictures: every kind of file either comes out right or is refused by name."""

import contextlib
import dataclasses
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from Utilities.color_profiles import cmyk_to_srgb
from Utilities.files import replacing
from Utilities.Photo import ImageError, Metadata, Photo, Pixels, photo_of
from Utilities.tiff_reading import is_tiff_file, read_tiff, read_tiff_header

EXTENSIONS = ('.png', '.jpg', '.jpeg', '.bmp', '.tif', '.tiff', '.webp')
# No other decoder of Pillow's is ever given a file, whatever it is called (some run programs or read other files).
_FORMATS = ('PNG', 'JPEG', 'BMP', 'WEBP')
_DECODING_ERRORS = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)
_MAX_PIXELS = 100_000_000
_EXIF_ORIENTATION = 0x0112
_QUARTER_TURNS = (5, 6, 7, 8)
_PNG_SIGNATURE = b'\x89PNG\r\n\x1a\n'
_GRAY_MODES = ('1', 'L', 'LA', 'La')
_NO_METADATA = Metadata()
_COLOR_CHUNKS = (b'gAMA', b'cHRM', b'sRGB', b'cICP')


def read_image(path: str | Path, *, max_pixels: int = _MAX_PIXELS) -> Photo:
    """Decode a PNG, JPEG, BMP, TIFF or WebP file to 8-bit RGB.

    16 bits are scaled, palettes and gray expanded, CMYK converted, orientation applied, colors under zero opacity
    replaced by the nearest that can be seen. Values are those of the file, whatever its color profile: see
    `color_profiles.to_srgb`.

    Args:
        path: the file.
        max_pixels: a larger picture is refused from its header, before it takes memory.

    Raises:
        ImageError: naming the file and the reason: damaged, not a picture, too large, animated, floating point.
    """
    path = Path(path)
    if is_tiff_file(path):
        with _naming(path):
            header = read_tiff_header(path)
            _refuse_large(path, header.width, header.height, max_pixels)
            return read_tiff(path)
    with _opened(path) as image:
        _refuse_large(path, image.width, image.height, max_pixels)
        _refuse_unusable(path, image)
        return _decode(path, image)


class Header(NamedTuple):
    """Facts that stand in a picture file before its pixels."""

    height: int
    width: int
    is_gray: bool


def read_header(path: str | Path, *, max_pixels: int = _MAX_PIXELS) -> Header:
    """Height and width, as `read_image` gives them, without decoding the pixels.

    Args:
        path: the file.
        max_pixels: a larger picture is refused if it must be decoded all the same, as its orientation stands behind it.

    Raises:
        ImageError: if the file is not a picture.
    """
    path = Path(path)
    if is_tiff_file(path):
        with _naming(path):
            return Header(*read_tiff_header(path))
    with _opened(path) as image:
        is_gray = image.mode in _GRAY_MODES or image.mode.startswith('I')
        if image.format == 'PNG' and _has_texts_behind_pixels(path):
            _refuse_large(path, image.width, image.height, max_pixels)
        if _exif(path, image).get(_EXIF_ORIENTATION, 1) in _QUARTER_TURNS:
            return Header(image.width, image.height, is_gray)
        return Header(image.height, image.width, is_gray)


def _exif(path: Path, image: Image.Image) -> Image.Exif:
    """Pillow would decode a whole PNG file to look behind its pixels, where an orientation hardly ever stands."""
    if image.format == 'PNG' and not _has_texts_behind_pixels(path):
        return Image.Image.getexif(image)
    return image.getexif()


def _has_texts_behind_pixels(path: Path) -> bool:
    with path.open('rb') as file:
        file.seek(len(_PNG_SIGNATURE))
        seen_pixels = False
        while len(head := file.read(8)) == 8:
            length, kind = struct.unpack('>I4s', head)
            seen_pixels |= kind == b'IDAT'
            if seen_pixels and kind in (b'eXIf', b'iTXt', b'tEXt', b'zTXt'):
                return True
            file.seek(length + 4, os.SEEK_CUR)  # And its checksum.
    return False


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Open a picture file that is no TIFF."""
    with _naming(path):
        # Our own limit speaks instead of Pillow's.
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            image = Image.open(path, formats=_FORMATS)
        finally:
            Image.MAX_IMAGE_PIXELS = limit
        with image:
            yield image


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Name the file in whatever goes wrong while it is in use."""
    try:
        yield
    except ImageError:
        raise
    except FileNotFoundError as error:
        raise ImageError(f'{path} does not exist.') from error
    except UnidentifiedImageError as error:
        kinds = 'PNG, JPEG, BMP, TIFF or WebP'
        raise ImageError(f'{path} is not a readable picture: it is no {kinds} file, whatever its name.') from error
    except _DECODING_ERRORS as error:
        raise ImageError(f'{path} is not a readable picture: {error or type(error).__name__}.') from error


def _refuse_large(path: Path, width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise ImageError(
            f'{path} has {width}x{height} = {width * height} pixels, more than max_image_pixels = {max_pixels}; raise '
            'that setting (upscale.py: --max-image-pixels) if the file is what it claims.'
        )


def _refuse_unusable(path: Path, image: Image.Image) -> None:
    # Phones put a second, smaller picture into their JPEG files (MPO); the first is the photograph.
    if getattr(image, 'n_frames', 1) > 1 and image.format != 'MPO':
        raise ImageError(f'{path} holds {image.n_frames} frames; save the one that is meant.')  # type: ignore[attr-defined]
    if image.mode == 'F':
        raise ImageError(f'{path} has pixels of mode F (32 bits); save it with 8 or 16 bits per channel.')


def _decode(path: Path, image: Image.Image) -> Photo:
    metadata = _metadata(path, image)
    is_deep = image.mode.startswith('I') or (image.format == 'PNG' and _png_bit_depth(path) == 16)  # noqa: PLR2004
    if is_deep:
        # Pillow alone would clip or truncate it.
        values = _read_deep_png(path) if not image.mode.startswith('I') else _deep_gray(image)
        return dataclasses.replace(photo_of(values, has_alpha=values.shape[-1] in (2, 4)), metadata=metadata)
    image.load()
    upright = ImageOps.exif_transpose(image)
    note = f'{upright.mode} converted to RGB' if upright.mode in ('CMYK', 'LAB', 'HSV') else ''
    if upright.mode == 'CMYK' and metadata.icc_profile is not None:
        upright, metadata = cmyk_to_srgb(path, upright, metadata)
    has_alpha = upright.mode in ('LA', 'La', 'PA', 'RGBA', 'RGBa') or 'transparency' in upright.info
    is_gray = upright.mode in _GRAY_MODES
    values = np.asarray(upright.convert(('L' if is_gray else 'RGB') + 'A' * has_alpha))
    values = values[..., None] if values.ndim == 2 else values  # noqa: PLR2004
    return dataclasses.replace(photo_of(values, has_alpha=has_alpha, note=note), metadata=metadata)


def _deep_gray(image: Image.Image) -> npt.NDArray[np.uint16]:
    return np.asarray(ImageOps.exif_transpose(image)).astype(np.uint16)[..., None]


def _metadata(path: Path, image: Image.Image) -> Metadata:
    """Metadata of a file: colors, size and origin."""
    exif = Image.Exif()
    exif.load(_exif(path, image).tobytes())  # A copy: the orientation is still to be applied.
    exif.pop(_EXIF_ORIENTATION, None)
    dpi = image.info.get('dpi')
    return Metadata(
        icc_profile=image.info.get('icc_profile') or None,
        png_chunks=tuple(_color_chunks(path)) if image.format == 'PNG' else (),
        dpi=(float(dpi[0]), float(dpi[1])) if dpi and all(dpi) else None,
        exif=exif.tobytes() if len(exif) else b'',
    )


def _color_chunks(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """The chunks of a PNG, before its pixels, that say what its numbers mean besides a profile."""
    with path.open('rb') as file:
        file.seek(len(_PNG_SIGNATURE))
        while len(head := file.read(8)) == 8:  # noqa: PLR2004
            length, kind = struct.unpack('>I4s', head)
            if kind == b'IDAT':
                return
            if kind in _COLOR_CHUNKS and length < 64:  # noqa: PLR2004
                yield kind, file.read(length)
                file.seek(4, os.SEEK_CUR)
            else:
                file.seek(length + 4, os.SEEK_CUR)


def _png_bit_depth(path: Path) -> int:
    with path.open('rb') as file:
        return file.read(25)[24]  # signature (8), IHDR's length and name (8), width and height (8), bit depth


def _read_deep_png(path: Path) -> npt.NDArray[np.uint16]:
    try:
        from torchvision.io import ImageReadMode, decode_image  # noqa: PLC0415  optional, and slow to import
    except (ImportError, RuntimeError, OSError) as error:
        raise ImageError(f'{path} has 16 bits per channel, which needs torchvision to be read: {error}') from error
    image = decode_image(str(path), mode=ImageReadMode.UNCHANGED, apply_exif_orientation=True)
    return image.permute(1, 2, 0).numpy()


def write_png(path: str | Path, pixels: Pixels, metadata: Metadata = _NO_METADATA) -> None:
    """Write (height, width) or (height, width, 3) 8-bit pixels as PNG, whole or not at all.

    Args:
        path: the file.
        pixels: what it holds.
        metadata: what the pixels mean; written as it is.
    """
    _save_png(Path(path), Image.fromarray(pixels), metadata)


def write_photo(path: str | Path, photo: Photo) -> None:
    """Write a photo as PNG, whole or not at all; gray as gray, with its opacity and metadata."""
    image = Image.fromarray(np.ascontiguousarray(photo.pixels[..., 0]) if photo.is_gray else photo.pixels)
    if photo.alpha is not None:
        image.putalpha(Image.fromarray(photo.alpha))
    _save_png(Path(path), image, photo.metadata)


def _save_png(path: Path, image: Image.Image, metadata: Metadata) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    chunks = PngInfo()
    for kind, content in metadata.png_chunks:
        chunks.add(kind, content)
    known = {'icc_profile': metadata.icc_profile, 'dpi': metadata.dpi, 'exif': metadata.exif}
    given = {name: value for name, value in known.items() if value}
    with replacing(path) as temporary:
        image.save(temporary, format='PNG', pnginfo=chunks, **given)


def to_tensor(pixels: Pixels) -> Float[Tensor, '3 height width']:
    """8-bit RGB to floating point in [0, 1], channels first."""
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1))).float() / 255


def to_pixels(image: Float[Tensor, '3 height width']) -> Pixels:
    """Floating point in [0, 1], channels first, to 8-bit RGB; rounded and clipped."""
    return (image.detach() * 255).round().clamp(0, 255).byte().permute(1, 2, 0).cpu().numpy()
