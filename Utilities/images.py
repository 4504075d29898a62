"""Reading and writing pictures: every kind of file either comes out right or is refused by name."""

import contextlib
import dataclasses
import os
import struct
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from Utilities.files import replacing

EXTENSIONS = ('.png', '.jpg', '.jpeg', '.bmp', '.tif', '.tiff', '.webp')
# No other decoder of Pillow's is ever given a file, whatever it is called (some run programs or read other files).
_FORMATS = ('PNG', 'JPEG', 'BMP', 'TIFF', 'WEBP')
_DECODING_ERRORS = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)
_MAX_PIXELS = 100_000_000
_EXIF_ORIENTATION = 0x0112
_QUARTER_TURNS = (5, 6, 7, 8)
_PNG_SIGNATURE = b'\x89PNG\r\n\x1a\n'
_GRAY_MODES = ('1', 'L', 'LA', 'La')

Pixels = npt.NDArray[np.uint8]


class ImageError(ValueError):
    """A picture that can't be used; the message begins with its path."""


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
    """What was converted, if anything: `16 bits scaled to 8`, `CMYK converted to RGB`."""


def read_image(path: str | Path, *, max_pixels: int = _MAX_PIXELS) -> Photo:
    """Decode a PNG, JPEG, BMP, TIFF or WebP file to 8-bit RGB.

    16 bits are scaled, palettes and gray expanded, CMYK converted, EXIF rotation applied.

    Args:
        path: the file.
        max_pixels: a larger picture is refused from its header, before it takes memory.

    Raises:
        ImageError: naming the file and the reason: damaged, not a picture, too large, animated, floating point.
    """
    path = Path(path)
    with _opened(path, max_pixels) as image:
        _refuse_unusable(path, image, max_pixels)
        return _decode(path, image)


class Header(NamedTuple):
    """What a picture file says of itself before its pixels."""

    height: int
    width: int
    is_gray: bool


def read_header(path: str | Path, *, max_pixels: int = _MAX_PIXELS) -> Header:
    """Height and width, as `read_image` gives them, without decoding the pixels.

    Raises:
        ImageError: if the file is not a picture.
    """
    with _opened(Path(path), max_pixels) as image:
        is_gray = image.mode in _GRAY_MODES or image.mode.startswith('I')
        if _exif(Path(path), image).get(_EXIF_ORIENTATION, 1) in _QUARTER_TURNS:
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
def _opened(path: Path, max_pixels: int) -> Iterator[Image.Image]:
    """Open a picture file, and name it in whatever goes wrong while it is in use."""
    try:
        with warnings.catch_warnings():
            # Our own limit speaks instead.
            warnings.simplefilter('ignore', Image.DecompressionBombWarning)
            with Image.open(path, formats=_FORMATS) as image:
                yield image
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        raise ImageError(
            f'{path} claims far more pixels than max_image_pixels = {max_pixels} allows: {error}'
        ) from error
    except FileNotFoundError as error:
        raise ImageError(f'{path} does not exist.') from error
    except UnidentifiedImageError as error:
        kinds = 'PNG, JPEG, BMP, TIFF or WebP'
        raise ImageError(f'{path} is not a readable picture: it is no {kinds} file, whatever its name.') from error
    except _DECODING_ERRORS as error:
        raise ImageError(f'{path} is not a readable picture: {error or type(error).__name__}.') from error


def _refuse_unusable(path: Path, image: Image.Image, max_pixels: int) -> None:
    if image.width * image.height > max_pixels:
        raise ImageError(
            f'{path} has {image.width}x{image.height} = {image.width * image.height} pixels, more than '
            f'max_image_pixels = {max_pixels}; raise that setting if the file is what it claims.'
        )
    # Phones put a second, smaller picture into their JPEG files (MPO); the first is the photograph.
    if getattr(image, 'n_frames', 1) > 1 and image.format != 'MPO':
        raise ImageError(f'{path} holds {image.n_frames} frames; save the one that is meant.')  # type: ignore[attr-defined]
    if image.mode == 'F' or (image.mode == 'I' and image.format == 'TIFF'):
        raise ImageError(f'{path} has pixels of mode {image.mode} (32 bits); save it with 8 or 16 bits per channel.')


def _decode(path: Path, image: Image.Image) -> Photo:
    deep = _sixteen_bits(path, image)
    if deep is not None:
        return deep
    image.load()
    upright = ImageOps.exif_transpose(image)
    note = f'{upright.mode} converted to RGB' if upright.mode in ('CMYK', 'LAB', 'HSV') else ''
    has_alpha = upright.mode in ('LA', 'La', 'PA', 'RGBA', 'RGBa') or 'transparency' in upright.info
    is_gray = upright.mode in _GRAY_MODES
    if not has_alpha:
        return Photo(np.array(upright.convert('RGB')), None, is_gray, note)
    four = np.array(upright.convert('RGBA'))
    return Photo(np.ascontiguousarray(four[..., :3]), np.ascontiguousarray(four[..., 3]), is_gray, note)


def _sixteen_bits(path: Path, image: Image.Image) -> Photo | None:
    """A picture with 16 bits per channel, scaled to 8; None for any other. Pillow alone would clip or truncate it."""
    if image.mode.startswith('I'):
        values = np.asarray(ImageOps.exif_transpose(image))
    elif image.format == 'PNG' and _png_bit_depth(path) == 16:  # noqa: PLR2004
        values = _read_deep_png(path)
    elif image.format == 'TIFF' and 16 in image.tag_v2.get(258, ()):  # type: ignore[attr-defined]  # noqa: PLR2004
        values = _read_deep_tiff(path)
    else:
        return None
    values = values[..., None] if values.ndim == 2 else values  # noqa: PLR2004
    # 65535 / 255 = 257, so white stays white.
    scaled = ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    channels = scaled.shape[-1]
    alpha = np.ascontiguousarray(scaled[..., -1]) if channels in (2, 4) else None
    is_gray = channels <= 2  # noqa: PLR2004
    colors = np.repeat(scaled[..., :1], 3, axis=-1) if is_gray else scaled[..., :3]
    return Photo(np.ascontiguousarray(colors), alpha, is_gray, '16 bits scaled to 8')


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


def _read_deep_tiff(path: Path) -> npt.NDArray[np.uint16]:
    try:
        import tifffile  # noqa: PLC0415  comes with scikit-image
    except ImportError as error:
        raise ImageError(f'{path} has 16 bits per channel, which needs tifffile to be read: {error}') from error
    return tifffile.imread(path)


def write_png(path: str | Path, pixels: Pixels) -> None:
    """Write (height, width), (height, width, 2), (…, 3) or (…, 4) 8-bit pixels as PNG, whole or not at all."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        Image.fromarray(pixels).save(temporary, format='PNG')


def to_tensor(pixels: Pixels) -> Float[Tensor, '3 height width']:
    """8-bit RGB to floating point in [0, 1], channels first."""
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1))).float() / 255


def to_pixels(image: Float[Tensor, '3 height width']) -> Pixels:
    """Floating point in [0, 1], channels first, to 8-bit RGB; rounded and clipped."""
    return (image.detach() * 255).round().clamp(0, 255).byte().permute(1, 2, 0).cpu().numpy()
