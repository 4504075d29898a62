"""Profiles, gamma and code points: carried by upscaling, converted or told by training and testing."""

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from Datasets.BenchmarkImages import BenchmarkImages
from Datasets.ImageFolder import ImageFolder
from tests.conftest import smooth_picture
from Utilities.color_profiles import to_srgb
from Utilities.images import read_image, write_png

# Rec. ITU-R BT.2020 and sRGB (IEC 61966-2-1): chromaticities of red, green, blue; white D65.
WIDE = ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046))
SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))


def xyz_matrix(primaries: tuple[tuple[float, float], ...]) -> np.ndarray:
    """Linear RGB to XYZ, white D65 (SMPTE RP 177)."""
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries]).T
    white = np.array([0.3127 / 0.3290, 1, (1 - 0.3127 - 0.3290) / 0.3290])
    return columns * np.linalg.solve(columns, white)


def wide_profile(gamma: float = 2.2) -> bytes:
    """An ICC profile, written by hand: a matrix and a power for each channel (ICC.1:2001-04, 6.3.1.2)."""
    # Bradford adaptation from D65 to D50, which profiles refer to.
    bradford = np.array(
        [[1.0478112, 0.0228866, -0.0501270], [0.0295424, 0.9904844, -0.0170491], [-0.0092345, 0.0150436, 0.7521316]]
    )
    matrix = bradford @ xyz_matrix(WIDE)

    def fixed(*values: float) -> bytes:
        return b''.join(struct.pack('>i', round(value * 65536)) for value in values)

    curve = b'curv' + bytes(4) + struct.pack('>IH', 1, round(gamma * 256)) + bytes(2)
    text = b'desc' + bytes(4) + struct.pack('>I', 5) + b'wide\0' + bytes(79)
    tags = {b'desc': text, b'wtpt': b'XYZ ' + bytes(4) + fixed(0.9642, 1, 0.8249)}
    tags |= {
        name: b'XYZ ' + bytes(4) + fixed(*matrix[:, place]) for place, name in enumerate((b'rXYZ', b'gXYZ', b'bXYZ'))
    }
    tags |= dict.fromkeys((b'rTRC', b'gTRC', b'bTRC'), curve)
    start, table, body = 128 + 4 + 12 * len(tags), struct.pack('>I', len(tags)), b''
    for name, content in tags.items():
        table += name + struct.pack('>II', start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    size = start + len(body)
    head = struct.pack('>I4sI4s4s4s', size, bytes(4), 0x02100000, b'mntr', b'RGB ', b'XYZ ') + bytes(12) + b'acsp'
    head = head.ljust(68, b'\0') + fixed(0.9642, 1, 0.8249)
    return head.ljust(128, b'\0') + table + body


def by_hand(pixels: np.ndarray) -> np.ndarray:
    """Wide to sRGB: powers off, matrices, the curve of sRGB on; what sRGB can't show is clipped."""
    linear = (pixels / 255) ** 2.2 @ (np.linalg.solve(xyz_matrix(SRGB), xyz_matrix(WIDE))).T
    linear = linear.clip(0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


@pytest.fixture
def pixels() -> np.ndarray:
    return smooth_picture(24, 30, 0)


@pytest.mark.parametrize('ending', ['png', 'jpg', 'tif', 'webp'])
def test_a_wide_profile_is_kept_and_converted_as_by_hand(ending: str, pixels: np.ndarray, tmp_path: Path) -> None:
    file = tmp_path / f'a.{ending}'
    lossless = {'lossless': True} if ending == 'webp' else {'quality': 100, 'subsampling': 0} if ending == 'jpg' else {}
    Image.fromarray(pixels).save(file, icc_profile=wide_profile(), **lossless)
    photo = read_image(file)
    assert photo.metadata.icc_profile == wide_profile()
    assert np.abs(photo.pixels.astype(int) - pixels).max() <= (8 if ending == 'jpg' else 0)
    converted = to_srgb(photo)
    assert converted.metadata.icc_profile is None
    assert converted.note == 'color profile converted to sRGB'
    assert np.abs(converted.pixels - by_hand(photo.pixels)).max() <= 2
    assert np.abs(converted.pixels.astype(int) - photo.pixels).max() > 20


def test_an_srgb_profile_changes_nothing(pixels: np.ndarray, tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile('sRGB')).tobytes()
    Image.fromarray(pixels).save(tmp_path / 'a.png', icc_profile=profile)
    converted = to_srgb(read_image(tmp_path / 'a.png'))
    assert np.array_equal(converted.pixels, pixels)
    assert converted.note == ''


@pytest.mark.parametrize('profile', [b'no profile at all', wide_profile()[:200]])
def test_a_damaged_profile_is_told_and_left_out(profile: bytes, pixels: np.ndarray, tmp_path: Path) -> None:
    Image.fromarray(pixels).save(tmp_path / 'a.png', icc_profile=profile)
    converted = to_srgb(read_image(tmp_path / 'a.png'))
    assert np.array_equal(converted.pixels, pixels)
    assert 'not applied' in converted.note


def test_training_and_testing_see_srgb(pixels: np.ndarray, tmp_path: Path) -> None:
    file = tmp_path / 'a.png'
    Image.fromarray(pixels).save(file, icc_profile=wide_profile())
    expected = to_srgb(read_image(file)).pixels
    assert np.array_equal(ImageFolder([file])[0], expected)
    hr = BenchmarkImages([file], 2)[0].hr[0].permute(1, 2, 0).numpy() * 255
    assert np.abs(hr - expected).max() < 1e-3


def chunked(path: Path, pixels: np.ndarray, *chunks: tuple[bytes, bytes]) -> Path:
    info = PngInfo()
    for name, content in chunks:
        info.add(name, content)
    Image.fromarray(pixels).save(path, pnginfo=info)
    return path


@pytest.mark.parametrize(
    ('chunks', 'note'),
    [
        ([(b'gAMA', struct.pack('>I', 100_000))], 'gamma 1 not applied'),
        ([(b'gAMA', struct.pack('>I', 45455))], ''),
        ([(b'sRGB', b'\0'), (b'gAMA', struct.pack('>I', 100_000))], ''),
        ([(b'cICP', bytes([9, 16, 0, 1]))], 'cICP of another color space than sRGB not applied'),
        ([(b'cICP', bytes([1, 13, 0, 1]))], ''),
    ],
)
def test_a_gamma_or_code_points_are_carried_and_told_once(
    chunks: list[tuple[bytes, bytes]], note: str, pixels: np.ndarray, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = [chunked(tmp_path / f'{name}.png', pixels, *chunks) for name in 'ab']
    photo = read_image(files[0])
    assert list(photo.metadata.png_chunks) == chunks
    assert to_srgb(photo).note == note
    images = BenchmarkImages(files, 2)
    assert len([images[0], images[1]]) == 2
    assert caplog.text.count('not applied') == bool(note)


def test_what_was_read_is_written_again(pixels: np.ndarray, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = 'A camera', 6
    info = PngInfo()
    info.add(b'cICP', bytes([9, 16, 0, 1]))
    Image.fromarray(pixels).save(
        tmp_path / 'a.png', icc_profile=wide_profile(), dpi=(300, 300), exif=exif, pnginfo=info
    )
    photo = read_image(tmp_path / 'a.png')
    write_png(tmp_path / 'b.png', photo.pixels, photo.metadata)
    again = read_image(tmp_path / 'b.png')
    assert np.array_equal(again.pixels, photo.pixels)  # So the orientation is not applied a second time.
    assert again.metadata == photo.metadata
    assert again.metadata.icc_profile == wide_profile()
    assert again.metadata.dpi == pytest.approx((300, 300), abs=0.01)
    with Image.open(tmp_path / 'b.png') as image:
        assert dict(image.getexif()) == {0x010F: 'A camera'}


@pytest.mark.parametrize('under', [(0, 0, 0), (255, 255, 255), (0, 255, 0)])
def test_colors_under_zero_opacity_do_not_matter(under: tuple[int, int, int], tmp_path: Path) -> None:
    picture = np.zeros((40, 40, 4), np.uint8)
    picture[..., :3] = under
    rows, columns = np.mgrid[:40, :40]
    disc = (rows - 20) ** 2 + (columns - 20) ** 2 < 150
    picture[disc] = (230, 10, 20, 255)
    Image.fromarray(picture).save(tmp_path / 'a.png')
    photo = read_image(tmp_path / 'a.png')
    assert photo.alpha is not None
    assert np.array_equal(photo.alpha == 255, disc)
    assert (photo.pixels == (230, 10, 20)).all()


def test_a_picture_without_anything_to_see_is_black(tmp_path: Path) -> None:
    Image.new('RGBA', (8, 8), (200, 100, 50, 0)).save(tmp_path / 'a.png')
    assert not read_image(tmp_path / 'a.png').pixels.any()
