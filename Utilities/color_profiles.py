"""Color profiles: what the numbers of a picture mean, where it is not sRGB (ICC.1, https://www.color.org)."""

import dataclasses
import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from Utilities.Photo import ImageError, Metadata, Photo, Pixels

# Conversion of sRGB by another maker's sRGB profile changes a number by 1 or 2: that is rounding, not color.
_LEVELS_OF_ROUNDING = 2
_SRGB_GAMMA = 45455
_SRGB_CODE_POINTS = (1, 13)
"""Primaries of BT.709 and the transfer curve of sRGB, as a PNG's cICP names them."""


def to_srgb(photo: Photo) -> Photo:
    """The photo as sRGB has it, so that pictures of several sources can be learned from and compared.

    Relative colorimetric. A profile that is sRGB but for rounding changes nothing, and neither does one that can't be
    used, which the note then says; nor do the gamma and code points that a PNG may give instead.

    Returns:
        A photo without a profile, and a note of what was done or left undone.
    """
    profile = photo.metadata.icc_profile
    if profile is None:
        left_out = _chunks_that_matter(photo.metadata)
        return photo.noting(f'{left_out} not applied') if left_out else photo
    plain = dataclasses.replace(photo, metadata=dataclasses.replace(photo.metadata, icc_profile=None))
    mode = 'L' if photo.is_gray else 'RGB'
    transform = _transform(profile, mode)
    if transform is None:
        return plain.noting('color profile of another kind or damaged, not applied')
    probe = _probe(mode)
    if np.abs(_apply(transform, probe, mode).astype(int) - _as_rgb(probe)).max() <= _LEVELS_OF_ROUNDING:
        return plain
    pixels = photo.pixels[..., 0] if photo.is_gray else photo.pixels
    return dataclasses.replace(plain, pixels=_apply(transform, pixels, mode)).noting('color profile converted to sRGB')


def cmyk_to_srgb(path: Path, image: Image.Image, metadata: Metadata) -> tuple[Image.Image, Metadata]:
    """A CMYK picture by its own profile, which no RGB picture could carry on; where it can't be used, as it was.

    Raises:
        ImageError: if the profile is not of CMYK.
    """
    assert metadata.icc_profile is not None
    without = dataclasses.replace(metadata, icc_profile=None)
    transform = _transform(metadata.icc_profile, 'CMYK')
    if transform is None:
        return image, without
    from PIL import ImageCms  # noqa: PLC0415

    converted = ImageCms.applyTransform(image, transform)
    if converted is None:
        raise ImageError(f'{path} has a color profile that can not be applied; save it as RGB.')
    return converted, without


def _transform(profile: bytes, mode: str) -> Any | None:  # noqa: ANN401  an object of LittleCMS
    """From a profile to sRGB; None where the profile is not of such pixels, or damaged."""
    try:
        from PIL import ImageCms  # noqa: PLC0415  some builds of Pillow are without
    except ImportError:
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.buildTransform(
            source, ImageCms.createProfile('sRGB'), mode, 'RGB', ImageCms.Intent.RELATIVE_COLORIMETRIC
        )
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return None


def _apply(transform: Any, pixels: Pixels, mode: str) -> Pixels:  # noqa: ANN401
    from PIL import ImageCms  # noqa: PLC0415

    converted = ImageCms.applyTransform(Image.fromarray(np.ascontiguousarray(pixels), mode), transform)
    assert converted is not None
    return np.array(converted)


def _probe(mode: str) -> Pixels:
    """A picture with a bit of every color."""
    steps = np.arange(0, 256, 15, dtype=np.uint8)
    if mode == 'L':
        return steps[None]
    return np.stack(np.meshgrid(steps, steps, steps, indexing='ij'), axis=-1).reshape(1, -1, 3)


def _as_rgb(pixels: Pixels) -> Pixels:
    return np.repeat(pixels[..., None], 3, axis=-1) if pixels.ndim == 2 else pixels  # noqa: PLR2004


def _chunks_that_matter(metadata: Metadata) -> str:
    """The first of a PNG's chunks that says that it is not sRGB; they stand in the order of precedence."""
    chunks = dict(metadata.png_chunks)
    if (code_points := chunks.get(b'cICP')) is not None:
        return '' if tuple(code_points[:2]) == _SRGB_CODE_POINTS else 'cICP of another color space than sRGB'
    if b'sRGB' in chunks or b'gAMA' not in chunks:
        return ''
    (gamma,) = struct.unpack('>I', chunks[b'gAMA'])
    return '' if abs(gamma - _SRGB_GAMMA) <= _SRGB_GAMMA // 50 else f'gamma {gamma / 100_000:g}'
