"""A TIFF is what the 8-bit PNG of the same picture is, over the product of what its tags may say; or it is refused."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

from Utilities.images import ImageError, read_header, read_image

tifffile = pytest.importorskip('tifffile')
HEIGHT, WIDTH = 20, 34
RANDOM = np.random.default_rng(0)
RGB = RANDOM.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
GRAY = RGB[..., :1]
ALPHA = RANDOM.integers(1, 256, (HEIGHT, WIDTH, 1), dtype=np.uint8)
PALETTE = RANDOM.integers(0, 256, (3, 256), dtype=np.uint8)

# How a turned camera or scanner lays the seen picture down (TIFF 6.0, page 36).
STORED: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda seen: seen,
    2: np.fliplr,
    3: lambda seen: np.rot90(seen, 2),
    4: np.flipud,
    5: lambda seen: np.transpose(seen, (1, 0, 2)),
    6: lambda seen: np.rot90(seen, 1),
    7: lambda seen: np.rot90(np.transpose(seen, (1, 0, 2)), 2),
    8: lambda seen: np.rot90(seen, -1),
}


class Kind(NamedTuple):
    stored: np.ndarray
    photometric: str
    pixels: np.ndarray
    extra: str | None = None
    has_alpha: bool = False


def beside(*parts: np.ndarray) -> np.ndarray:
    return np.concatenate(parts, axis=-1)


KINDS = {
    'black is zero': Kind(GRAY, 'minisblack', GRAY.repeat(3, -1)),
    'white is zero': Kind(255 - GRAY, 'miniswhite', GRAY.repeat(3, -1)),
    'RGB': Kind(RGB, 'rgb', RGB),
    'RGB with opacity': Kind(beside(RGB, ALPHA), 'rgb', RGB, 'unassalpha', has_alpha=True),
    'RGB with a sample without meaning': Kind(beside(RGB, ALPHA), 'rgb', RGB, 'unspecified'),
    'gray with opacity': Kind(beside(GRAY, ALPHA), 'minisblack', GRAY.repeat(3, -1), 'unassalpha', has_alpha=True),
    'gray with a sample without meaning': Kind(beside(GRAY, ALPHA), 'minisblack', GRAY.repeat(3, -1), 'unspecified'),
    'CMYK': Kind(beside(255 - RGB, np.zeros_like(GRAY)), 'separated', RGB),
}


def write(path: Path, kind: Kind, depth: int, orientation: int, *, planar: bool, tiles: bool) -> None:
    stored = STORED[orientation](kind.stored)
    stored = stored.astype(np.uint16) * 257 if depth == 16 else stored
    options: dict[str, Any] = {'tile': (16, 16)} if tiles else {}
    if stored.shape[-1] == 1:
        stored = stored[..., 0]
    else:
        stored = np.moveaxis(stored, -1, 0) if planar else stored
        options['planarconfig'] = 'separate' if planar else 'contig'
        options |= {'extrasamples': [kind.extra]} if kind.extra else {}
    tags = [(274, 3, 1, orientation, True)]
    tifffile.imwrite(
        path,
        np.ascontiguousarray(stored),
        photometric=kind.photometric,
        metadata=None,
        extratags=tags,
        **options,
    )


@pytest.mark.parametrize('depth', [8, 16])
@pytest.mark.parametrize('name', KINDS)
def test_every_way_to_store_a_picture_gives_the_picture(name: str, depth: int, tmp_path: Path) -> None:
    kind, file = KINDS[name], tmp_path / 'a.tif'
    for orientation, planar, tiles in itertools.product(STORED, (False, True), (False, True)):
        if planar and kind.stored.shape[-1] == 1:
            continue
        write(file, kind, depth, orientation, planar=planar, tiles=tiles)
        photo, where = read_image(file), f'orientation {orientation}, planar {planar}, tiles {tiles}'
        assert np.array_equal(photo.pixels, kind.pixels), where
        assert (photo.alpha is not None) == kind.has_alpha, where
        assert photo.alpha is None or np.array_equal(photo.alpha, ALPHA[..., 0]), where
        header = read_header(file)
        assert (header.height, header.width) == (HEIGHT, WIDTH), where
        assert photo.is_gray == header.is_gray == ('gray' in name or 'zero' in name), where


@pytest.mark.parametrize(('depth', 'error'), [(8, 1.0), (16, 0.51)])
@pytest.mark.parametrize('planar', [False, True])
def test_premultiplied_colors_are_divided_by_their_opacity(
    depth: int, error: float, planar: bool, tmp_path: Path
) -> None:
    """Of 8 bits each, rounding before the division is worth half a level times 255 / opacity."""
    most = 2**depth - 1
    colors = np.rint(RGB / 255 * ALPHA / 255 * most).astype(np.uint16 if depth == 16 else np.uint8)
    stored = beside(colors, (ALPHA.astype(np.uint16) * (most // 255)).astype(colors.dtype))
    options = {'planarconfig': 'separate' if planar else 'contig', 'extrasamples': ['assocalpha'], 'metadata': None}
    stored = np.moveaxis(stored, -1, 0) if planar else stored
    tifffile.imwrite(tmp_path / 'a.tif', np.ascontiguousarray(stored), photometric='rgb', **options)
    photo = read_image(tmp_path / 'a.tif')
    assert photo.alpha is not None
    assert np.array_equal(photo.alpha, ALPHA[..., 0])
    allowed = error + (0 if depth == 16 else 127.5 / ALPHA.astype(float))
    assert (np.abs(photo.pixels.astype(float) - RGB) <= allowed).all()


@pytest.mark.parametrize('orientation', STORED)
@pytest.mark.parametrize('compression', [None, 'tiff_lzw', 'tiff_deflate', 'packbits'])
@pytest.mark.parametrize('mode', ['L', 'RGB', 'RGBA', 'P', '1', 'CMYK'])
def test_compressed_files_of_another_writer(
    mode: str, compression: str | None, orientation: int, tmp_path: Path
) -> None:
    """Pillow writes, also what tifffile can't read alone."""
    seen = Image.fromarray(beside(RGB, ALPHA)).convert(mode)
    seen = seen if mode != '1' else Image.fromarray(RGB[..., 0] > 127)
    expected = np.asarray(seen.convert('RGB'))
    turns = {
        2: [Image.Transpose.FLIP_LEFT_RIGHT], 3: [Image.Transpose.ROTATE_180], 4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE], 6: [Image.Transpose.ROTATE_90], 7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }  # fmt: skip
    for turn in turns.get(orientation, []):
        seen = seen.transpose(turn)
    seen.save(tmp_path / 'a.tif', compression=compression, tiffinfo={274: orientation})
    photo, header = read_image(tmp_path / 'a.tif'), read_header(tmp_path / 'a.tif')
    assert photo.pixels.shape == (header.height, header.width, 3) == (HEIGHT, WIDTH, 3)
    assert np.array_equal(photo.pixels, expected)


@pytest.mark.parametrize('factor', [256, 257])
def test_a_palette_is_looked_up_and_its_16_bits_are_scaled(factor: int, tmp_path: Path) -> None:
    palette = PALETTE.astype(np.uint16) * factor
    tifffile.imwrite(tmp_path / 'a.tif', RGB[..., 0], photometric='palette', colormap=palette, metadata=None)
    assert np.array_equal(read_image(tmp_path / 'a.tif').pixels, PALETTE.T[RGB[..., 0]])


@pytest.mark.parametrize('order', ['<', '>'])
@pytest.mark.parametrize('big', [False, True])
def test_either_byte_order_and_bigtiff(order: str, big: bool, tmp_path: Path) -> None:
    values = RGB.astype(np.uint16) * 257
    tifffile.imwrite(tmp_path / 'a.tif', values, photometric='rgb', byteorder=order, bigtiff=big, metadata=None)
    assert np.array_equal(read_image(tmp_path / 'a.tif').pixels, RGB)


@pytest.mark.parametrize(
    ('values', 'options', 'message'),
    [
        (RGB.astype(np.float32), {'photometric': 'rgb'}, 'floating point samples of 32 bits'),
        (RGB.astype(np.int16), {'photometric': 'rgb'}, 'signed samples of 16 bits'),
        (RGB.astype(np.uint32), {'photometric': 'rgb'}, 'unsigned samples of 32 bits'),
        (RGB, {'photometric': 'cielab'}, 'holds CIELab; save it as RGB'),
        (RGB, {'photometric': 'ycbcr'}, 'holds YCbCr that is not compressed as JPEG'),
        (np.stack([RGB, RGB]), {'photometric': 'rgb'}, 'holds 2 frames'),
    ],
)
def test_other_kinds_are_refused_by_name(
    values: np.ndarray, options: dict[str, str], message: str, tmp_path: Path
) -> None:
    tifffile.imwrite(tmp_path / 'a.tif', values, metadata=None, **options)
    with pytest.raises(ImageError, match=f'a.tif .*{message}'):
        read_image(tmp_path / 'a.tif')


@pytest.mark.parametrize('depth', [8, 16])
@pytest.mark.parametrize('part', [0.1, 0.5, 0.95])
def test_files_that_are_cut_off_are_refused(part: float, depth: int, tmp_path: Path) -> None:
    write(tmp_path / 'a.tif', KINDS['RGB'], depth, 1, planar=False, tiles=False)
    content = (tmp_path / 'a.tif').read_bytes()
    (tmp_path / 'a.tif').write_bytes(content[: int(len(content) * part)])
    with pytest.raises(ImageError, match=r'a\.tif is not a readable picture'):
        read_image(tmp_path / 'a.tif')


def test_a_tiff_under_another_name_is_read_as_one(tmp_path: Path) -> None:
    write(tmp_path / 'a.tif', KINDS['RGB'], 16, 6, planar=True, tiles=True)
    (tmp_path / 'a.tif').rename(tmp_path / 'a.png')
    assert np.array_equal(read_image(tmp_path / 'a.png').pixels, RGB)
