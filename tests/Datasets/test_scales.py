"""LR pictures at scales per axis, for fixed sizes, and as protocols want them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torch import Tensor

from Configuration.protocols import PUBLISHED
from Datasets.BenchmarkImages import BenchmarkImages
from Datasets.target_size import scale_to_size
from Models import BenchmarkType
from tests.conftest import PictureMaker, smooth_picture
from Utilities.coordinates import scale_text
from Utilities.images import to_pixels
from Utilities.resize import resize

HEIGHT, WIDTH = 65, 78


@pytest.fixture
def files(make_pictures: PictureMaker) -> list[Path]:
    return make_pictures(count=1, height=HEIGHT, width=WIDTH)


def pixels(image: Tensor) -> np.ndarray:
    return to_pixels(image[0])


def by_pillow(hr: np.ndarray, height: int, width: int) -> np.ndarray:
    return np.asarray(Image.fromarray(hr).resize((width, height), Image.Resampling.BICUBIC))


@pytest.mark.parametrize(
    ('scale', 'lr_size', 'hr_size'),
    [
        ((2, 3.5), (32, 22), (64, 77)),  # 65 / 2 = 32.5, 78 / 3.5 = 22.29
        ((3.5, 2), (18, 39), (63, 78)),
        ((1, 2.7), (65, 28), (65, 76)),  # 2.7 * 28 = 75.6
        ((2, 2), (32, 39), (64, 78)),
    ],
)
def test_each_axis_has_its_own_scale(
    files: list[Path], scale: tuple[float, float], lr_size: tuple[int, int], hr_size: tuple[int, int]
) -> None:
    (pair,) = BenchmarkImages(files, scale)
    hr = smooth_picture(HEIGHT, WIDTH, 0)[: hr_size[0], : hr_size[1]]
    assert np.array_equal(pixels(pair.hr), hr)
    assert np.array_equal(pixels(pair.lr), by_pillow(hr, *lr_size))


@pytest.mark.parametrize(
    ('size', 'scale', 'lr_size'),
    [
        ((52, 70), 2, (26, 35)),
        ((52, 71), 4, (13, 18)),  # 17.75
        ((52, 71), (2.7, 3.3), (19, 22)),  # 19.26, 21.52
        ((52, 71), 60, (1, 1)),  # 0.87, 1.18
        ((10, 10), 30, (1, 1)),  # 0.33, and no picture has no pixel
    ],
)
def test_a_fixed_size_is_cut_out_and_reduced_to_the_nearest_size(
    files: list[Path], size: tuple[int, int], scale: Any, lr_size: tuple[int, int]
) -> None:
    (pair,) = BenchmarkImages(files, scale, size=size)
    hr = smooth_picture(HEIGHT, WIDTH, 0)[: size[0], : size[1]]
    assert np.array_equal(pixels(pair.hr), hr)
    assert np.array_equal(pixels(pair.lr), by_pillow(hr, *lr_size))


def test_a_picture_smaller_than_the_size_is_refused_before_anything_is_read(files: list[Path]) -> None:
    with pytest.raises(ValueError, match=r'smaller than the size asked for, 79x65:\n  .*picture_0\.png is 78x65'):
        BenchmarkImages(files, 2, size=(65, 79))


def test_lr_files_tell_the_scale_to_a_fixed_size(files: list[Path], make_pictures: PictureMaker) -> None:
    make_pictures('lr', count=2, height=26, width=39)  # the second belongs to no HR picture
    scale = scale_to_size(files, Path('lr'), (HEIGHT, WIDTH))
    assert scale == (2.5, 2)
    (pair,) = BenchmarkImages(files, scale, lr_folder=Path('lr'))
    assert np.array_equal(pixels(pair.hr), smooth_picture(HEIGHT, WIDTH, 0))
    assert np.array_equal(pixels(pair.lr), smooth_picture(26, 39, 0))
    with pytest.raises(ValueError, match=r'another size than the one asked for, 78x64:\n  .*is 78x65'):
        scale_to_size(files, Path('lr'), (64, WIDTH))


def test_lr_files_of_several_sizes_or_other_names_tell_no_scale(make_pictures: PictureMaker) -> None:
    files = make_pictures(count=2, height=20, width=20)
    make_pictures('lr', count=2, height=10, width=10)
    Image.new('RGB', (5, 10)).save('lr/picture_1.png')
    with pytest.raises(ValueError, match='must be named as their HR pictures and have one size, found 5x10, 10x10'):
        scale_to_size(files, Path('lr'), (20, 20))
    Path('lr/picture_0.png').rename('lr/other.png')
    with pytest.raises(ValueError, match='found none of the names'):
        scale_to_size(files[:1], Path('lr'), (20, 20))


def test_files_of_a_scale_per_axis_pair_by_name(files: list[Path], make_pictures: PictureMaker) -> None:
    """Width first, as in the table: 78 / 2 = 39, 65 / 3.5 = 18.57."""
    (lr,) = make_pictures('lr', count=1, height=18, width=39)
    lr.rename(lr.with_name('picture_0x2x3.5.png'))
    (pair,) = BenchmarkImages(files, (3.5, 2), lr_folder=Path('lr'))
    assert (pair.lr.shape[2:], pair.hr.shape[2:]) == ((18, 39), (63, 78))
    with pytest.raises(ValueError, match=r'picture_0\.png has no partner picture_0x3\.5x2 or picture_0'):
        BenchmarkImages(files, (2, 3.5), lr_folder=Path('lr'))
    lr.with_name('picture_0x2x3.5.png').rename(lr)
    with pytest.raises(ValueError, match=r'is 39x18, which is not 78x65 over 3\.5x2'):
        BenchmarkImages(files, (2, 3.5), lr_folder=Path('lr'))


@pytest.mark.parametrize(('scale', 'text'), [(2, '2'), (2.0, '2'), (2.7, '2.7'), ((3.5, 2), '2x3.5'), ((2, 2), '2')])
def test_scales_are_written_as_people_say_sizes(scale: Any, text: str) -> None:
    assert scale_text(scale) == text


# Protocols


@pytest.fixture
def benchmark_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_pictures: PictureMaker) -> list[Path]:
    """A Set5 of one picture, whose official LR files are black, so that one sees whether they are used."""
    files = make_pictures('Set5/HR', count=1, height=HEIGHT, width=WIDTH)
    for scale in (2, 3, 4):
        (tmp_path / f'Set5/LR_bicubic/X{scale}').mkdir(parents=True)
        black = Image.new('RGB', (WIDTH // scale, HEIGHT // scale))
        black.save(tmp_path / f'Set5/LR_bicubic/X{scale}/picture_0x{scale}.png')
    monkeypatch.setenv('ASSR_DATASETS', str(tmp_path))
    return files


# How LR comes to be at x4 and x6, and which part of 65x78 is compared at x4.
SOURCES = {
    'liif': ('files', 'pillow bicubic', (64, 76)),
    'lte': ('files', 'pillow bicubic', (64, 76)),
    'ciaosr': ('matlab bicubic', 'pillow bicubic', (60, 72)),
    'mmagic': ('matlab bicubic', 'matlab bicubic', (60, 72)),
    'thera': ('matlab bicubic', 'matlab bicubic', (64, 76)),
    'gsasr': ('matlab bicubic', 'matlab bicubic', (64, 76)),
    'basicsr': ('matlab bicubic', 'matlab bicubic', (60, 72)),
}


@pytest.mark.parametrize('name', SOURCES)
def test_lr_is_made_as_the_protocol_has_it(name: str, benchmark_files: list[Path]) -> None:
    protocol = PUBLISHED[name]
    at_4, at_6 = (
        BenchmarkImages.of_protocol(
            BenchmarkType.Set5, benchmark_files, scale, official_scales=protocol.official_lr_scales,
            convention=protocol.lr_bicubic, hr_multiple=protocol.hr_multiple,
        )
        for scale in (4, 6)
    )  # fmt: skip
    assert (at_4.lr_source, at_6.lr_source, tuple(at_4[0].hr.shape[2:])) == SOURCES[name]
    height, width = SOURCES[name][2]
    hr = smooth_picture(HEIGHT, WIDTH, 0)[:height, :width]
    made = resize(hr, (height // 4, width // 4), 'matlab')
    assert np.array_equal(pixels(at_4[0].lr), np.zeros_like(made) if at_4.lr_source == 'files' else made)


def test_official_files_are_for_their_scale_on_both_axes_and_for_no_other_size(benchmark_files: list[Path]) -> None:
    both = BenchmarkImages.of_protocol(BenchmarkType.Set5, benchmark_files, (2, 3))
    sized = BenchmarkImages.of_protocol(BenchmarkType.Set5, benchmark_files, 2, size=(40, 40))
    assert (both.lr_source, sized.lr_source) == ('pillow bicubic', 'matlab bicubic')
