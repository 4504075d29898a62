"""Every kind of picture file comes out right or is refused by name (FAULTS cases 23, 25, 26)."""

import resource
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.conftest import smooth_picture
from Utilities.images import ImageError, read_header, read_image, to_pixels, to_tensor, write_png


def png(width: int, height: int, bit_depth: int, color_type: int, rows: bytes) -> bytes:
    """A PNG file written by hand, as Pillow can't write 16-bit colors or sizes that lie."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack('>I', len(content)) + name + content + struct.pack('>I', zlib.crc32(name + content))

    header = struct.pack('>IIBBBBB', width, height, bit_depth, color_type, 0, 0, 0)
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) + chunk(b'IDAT', zlib.compress(rows, 9)) + chunk(b'IEND', b'')


def deep_png(values: np.ndarray) -> bytes:
    """16 bits per channel: gray, gray with alpha, RGB or RGBA by the last axis."""
    height, width, channels = values.shape
    rows = b''.join(b'\x00' + row.astype('>u2').tobytes() for row in values)
    return png(width, height, 16, {1: 0, 2: 4, 3: 2, 4: 6}[channels], rows)


@pytest.mark.parametrize('ending', ['png', 'bmp', 'tif', 'webp', 'jpg'])
def test_ordinary_files_are_read(ending: str, tmp_path: Path) -> None:
    pixels = smooth_picture(20, 30, 0)
    file = tmp_path / f'picture.{ending}'
    Image.fromarray(pixels).save(file, **({'lossless': True} if ending == 'webp' else {}))
    photo = read_image(file)
    assert np.abs(photo.pixels.astype(int) - pixels).mean() <= (4 if ending == 'jpg' else 0)
    assert (photo.alpha, photo.is_gray, photo.note) == (None, False, '')


@pytest.mark.parametrize('channels', [1, 2, 3, 4])
def test_16_bits_are_scaled_not_clipped(channels: int, tmp_path: Path) -> None:
    """A ramp over the whole range has the mean 127.5; Pillow's own conversion of gray gives 254.5."""
    if channels > 1:
        pytest.importorskip('torchvision')
    values = np.linspace(0, 65535, 64 * 64).round().astype(np.uint16).reshape(64, 64, 1).repeat(channels, axis=-1)
    file = tmp_path / 'deep.png'
    file.write_bytes(deep_png(values))
    photo = read_image(file)
    assert photo.pixels.mean() == pytest.approx(127.5, abs=0.1)
    assert photo.is_gray == (channels <= 2)
    assert (photo.alpha is not None) == (channels in (2, 4))
    range_of = photo.pixels if photo.alpha is None else photo.alpha
    assert (range_of.min(), range_of.max()) == (0, 255)
    assert photo.note == '16 bits scaled to 8'


@pytest.mark.parametrize('shape', [(40, 50), (40, 50, 3)])
def test_16_bit_tiff_is_scaled(shape: tuple[int, ...], tmp_path: Path) -> None:
    tifffile = pytest.importorskip('tifffile')
    values = np.linspace(0, 65535, int(np.prod(shape))).round().astype(np.uint16).reshape(shape)
    tifffile.imwrite(tmp_path / 'deep.tif', values, photometric='minisblack' if len(shape) == 2 else 'rgb')
    photo = read_image(tmp_path / 'deep.tif')
    assert photo.pixels.mean() == pytest.approx(127.5, abs=0.2)
    assert photo.pixels.shape == (40, 50, 3)


def test_gray_palette_alpha_and_cmyk_become_rgb(tmp_path: Path) -> None:
    pixels = smooth_picture(20, 30, 0)
    color = Image.fromarray(pixels)
    expected_gray = np.asarray(color.convert('L'))
    for mode, kind in (('L', 'gray'), ('LA', 'gray'), ('P', 'color'), ('RGBA', 'color'), ('CMYK', 'color')):
        ending = 'tif' if mode == 'CMYK' else 'png'
        file = tmp_path / f'{mode}.{ending}'
        color.convert(mode).save(file)
        photo = read_image(file)
        assert photo.pixels.shape == (20, 30, 3)
        assert photo.is_gray == (kind == 'gray')
        assert (photo.alpha is not None) == (mode in ('LA', 'RGBA'))
        if kind == 'gray':
            assert np.array_equal(photo.pixels[..., 1], expected_gray)
        if mode == 'RGBA':
            assert np.array_equal(photo.pixels, pixels)
    assert read_image(tmp_path / 'CMYK.tif').note == 'CMYK converted to RGB'


def test_palette_with_a_transparent_color_has_alpha(tmp_path: Path) -> None:
    picture = Image.new('P', (4, 4), 0)
    picture.putpalette([10, 20, 30, 200, 100, 50])
    picture.putpixel((1, 2), 1)
    picture.save(tmp_path / 'p.png', transparency=1)
    photo = read_image(tmp_path / 'p.png')
    assert photo.alpha is not None
    assert (photo.alpha[2, 1], photo.alpha[0, 0]) == (0, 255)
    assert photo.pixels[0, 0].tolist() == [10, 20, 30]


@pytest.mark.parametrize('orientation', [3, 6, 8])
def test_exif_rotation_is_applied(orientation: int, tmp_path: Path) -> None:
    upright = smooth_picture(20, 30, 0)
    turns = {3: 2, 6: 1, 8: -1}[orientation]  # the camera was turned; undoing it by np.rot90 makes the stored pixels
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = tmp_path / 'turned.png'
    Image.fromarray(np.ascontiguousarray(np.rot90(upright, turns))).save(file, exif=exif)
    assert np.array_equal(read_image(file).pixels, upright)
    assert read_header(file) == (20, 30, False)


def test_animations_and_float_pixels_are_refused(tmp_path: Path) -> None:
    frames = [Image.new('RGB', (8, 8), color) for color in ('red', 'blue')]
    frames[0].save(tmp_path / 'film.png', save_all=True, append_images=frames[1:])
    frames[0].save(tmp_path / 'film.webp', save_all=True, append_images=frames[1:], lossless=True)
    frames[0].save(tmp_path / 'pages.tif', save_all=True, append_images=frames[1:])
    for name in ('film.png', 'film.webp', 'pages.tif'):
        with pytest.raises(ImageError, match=rf'{name} holds 2 frames'):
            read_image(tmp_path / name)
    Image.fromarray(np.zeros((8, 8), np.float32)).save(tmp_path / 'float.tif')
    with pytest.raises(ImageError, match=r'float\.tif has floating point samples of 32 bits'):
        read_image(tmp_path / 'float.tif')


def broken_files(folder: Path) -> list[Path]:
    """Empty, text, truncated, one byte flipped, a pointer of git-lfs, another format under a wrong name."""
    whole = folder / 'whole.png'
    Image.fromarray(smooth_picture(64, 64, 0)).save(whole)
    content = whole.read_bytes()
    flipped = bytearray(content)
    flipped[len(flipped) // 2] ^= 0xFF
    Image.fromarray(smooth_picture(64, 64, 0)).save(folder / 'whole.jpg', quality=95)
    jpeg = (folder / 'whole.jpg').read_bytes()
    broken = {
        'empty.png': b'',
        'text.png': b'no picture at all',
        'truncated.png': content[: len(content) // 2],
        'truncated.jpg': jpeg[: len(jpeg) // 2],
        'flipped.png': bytes(flipped),
        'pointer.png': b'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n',
        'postscript.png': b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n',
    }
    whole.unlink()
    (folder / 'whole.jpg').unlink()
    for name, data in broken.items():
        (folder / name).write_bytes(data)
    return [folder / name for name in broken]


def test_damaged_files_are_refused_by_name(tmp_path: Path) -> None:
    for file in broken_files(tmp_path):
        with pytest.raises(ImageError) as error:
            read_image(file)
        assert str(error.value).startswith(str(file))


def test_a_picture_that_claims_to_be_huge_is_refused_unread(tmp_path: Path) -> None:
    """FAULTS case 26: 2.5 billion and 121 million pixels in a few bytes; within 0.1 s and without the memory."""
    bomb, large = tmp_path / 'bomb.png', tmp_path / 'large.png'
    bomb.write_bytes(png(50_000, 50_000, 8, 0, b''))
    large.write_bytes(png(11_000, 11_000, 8, 0, b''.join(b'\x00' * 11_001 for _ in range(11_000))))
    assert large.stat().st_size < 200_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    for file in (bomb, large):
        with pytest.raises(ImageError, match=rf'{file.name} .*max_image_pixels = 100000000'):
            read_image(file)
    assert time.perf_counter() - start < 0.2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kB
    Image.new('RGB', (20, 20)).save(tmp_path / 'small.png')
    with pytest.raises(ImageError, match='max_image_pixels = 399'):
        read_image(tmp_path / 'small.png', max_pixels=399)


def test_16_bit_colors_without_torchvision_are_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__('sys').modules, 'torchvision.io', None)
    (tmp_path / 'deep.png').write_bytes(deep_png(np.zeros((4, 4, 3), np.uint16)))
    with pytest.raises(ImageError, match=r'deep\.png has 16 bits per channel, which needs torchvision'):
        read_image(tmp_path / 'deep.png')


def test_a_picture_survives_the_way_to_a_tensor_and_to_a_file(tmp_path: Path) -> None:
    pixels = smooth_picture(9, 7, 0)
    tensor = to_tensor(pixels)
    assert tensor.shape == (3, 9, 7)
    assert torch.equal(tensor[:, 4, 2] * 255, torch.from_numpy(pixels[4, 2]).float())
    write_png(tmp_path / 'folder' / 'a.png', to_pixels(tensor))
    assert np.array_equal(read_image(tmp_path / 'folder' / 'a.png').pixels, pixels)
    assert [file.name for file in (tmp_path / 'folder').iterdir()] == ['a.png']


@pytest.mark.parametrize('kind', [b'eXIf', b'iTXt'])
@pytest.mark.parametrize('behind', [False, True])
def test_a_png_header_knows_an_orientation_wherever_it_stands(kind: bytes, behind: bool, tmp_path: Path) -> None:
    """Before or behind the pixels, as both are allowed, in EXIF or in XMP."""
    picture = Image.new('RGB', (30, 20))
    exif = Image.Exif()
    exif[0x0112] = 6
    xmp = b'XML:com.adobe.xmp\0\0\0\0\0<x:xmpmeta tiff:Orientation="6"></x:xmpmeta>'
    body = exif.tobytes().removeprefix(b'Exif\0\0') if kind == b'eXIf' else xmp
    picture.save(tmp_path / 'a.png')
    content = (tmp_path / 'a.png').read_bytes()
    chunk = struct.pack('>I', len(body)) + kind + body + struct.pack('>I', zlib.crc32(kind + body))
    place = content.index(b'IEND' if behind else b'IDAT') - 4
    (tmp_path / 'a.png').write_bytes(content[:place] + chunk + content[place:])
    assert read_image(tmp_path / 'a.png').pixels.shape == (30, 20, 3)
    assert read_header(tmp_path / 'a.png') == (30, 20, False)


def test_a_png_header_is_read_without_the_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.effect_noise((300, 200), 60).save(tmp_path / 'a.png')
    monkeypatch.setattr('PIL.ImageFile.ImageFile.load', lambda _: pytest.fail('decoded'))
    assert read_header(tmp_path / 'a.png') == (200, 300, True)
