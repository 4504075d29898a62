import numpy as np
import pytest

from Datasets.BenchmarkImages import BenchmarkImages
from Datasets.benchmarks import hr_files, official_lr_folder
from Models import BenchmarkType
from Utilities.images import read_image
from Utilities.resize import ResizeConvention, resize


@pytest.mark.parametrize('convention', ['pillow', 'matlab'])
@pytest.mark.parametrize('size', [(5, 7), (13, 4), (20, 31), (1, 1)])
def test_any_size_works_in_both_conventions(convention: ResizeConvention, size: tuple[int, int]) -> None:
    """Fractional and anisotropic; a flat picture stays flat, of whatever kind."""
    for picture in (np.full((9, 8, 3), 77, np.uint8), np.full((9, 8), 77, np.uint8), np.full((9, 8, 3), 0.3)):
        resized = resize(picture, size, convention)
        assert resized.dtype == picture.dtype
        assert resized.shape == (*size, *picture.shape[2:])
        np.testing.assert_allclose(resized, np.broadcast_to(picture.flat[0], resized.shape), rtol=1e-6)


def test_matlab_by_hand() -> None:
    """Halving a row: the antialiased kernel k(x/2)/2 at distances 0.5, 1.5, 2.5, 3.5 pixels, both sides; mirrored.

    Keys' kernel at 0.25, 0.75, 1.25, 1.75 is 0.8671875, 0.2265625, -0.0703125, -0.0234375; halved, they sum to 0.5.
    """
    row = np.array([[0.0, 0, 0, 1, 0, 0, 0, 0]])
    near, middle, far, farthest = 0.43359375, 0.11328125, -0.03515625, -0.01171875
    # Output centres lie between pixels (0, 1), (2, 3), (4, 5), (6, 7).
    by_hand = [far, near, middle, farthest]
    np.testing.assert_allclose(resize(row, (1, 4), 'matlab')[0], by_hand, atol=1e-12)


def test_8_bit_matlab_rounds_between_the_passes() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (30, 30, 3)).astype(np.uint8)
    twice, once = (resize(picture, (15, 15), 'matlab', rounds_between_passes=choice) for choice in (True, False))
    assert 0 < np.abs(twice.astype(int) - once.astype(int)).max() <= 2


def test_an_unknown_convention_or_an_empty_size_is_refused() -> None:
    picture = np.zeros((4, 4), np.uint8)
    # While the tests run, the annotation is checked before the function's own check.
    with pytest.raises((ValueError, TypeError), match='opencv'):
        resize(picture, (2, 2), 'opencv')  # type: ignore[arg-type]
    with pytest.raises(ValueError, match='at least 1x1, got 0x2'):
        resize(picture, (0, 2), 'pillow')


@pytest.mark.data
@pytest.mark.parametrize('scale', [2, 3, 4, 8])
def test_matlab_reproduces_the_official_set5_files_exactly(scale: int) -> None:
    """X2, X3 and X4 with rounding between the passes, X8, which another tool made, without."""
    folder = official_lr_folder(BenchmarkType.Set5, 2)
    if folder is None:
        pytest.skip('Set5 with LR_bicubic is not under ./datasets or $ASSR_DATASETS')
    files = hr_files(BenchmarkType.Set5)
    pairs = BenchmarkImages(files, scale, lr_folder=folder.with_name(f'X{scale}'))
    for file, pair in zip(files, pairs, strict=True):
        official = (pair.lr[0] * 255).round().byte().permute(1, 2, 0).numpy()
        height, width = pair.hr.shape[-2:]
        hr = read_image(file).pixels[:height, :width]
        found = resize(hr, official.shape[:2], 'matlab', rounds_between_passes=scale != 8)
        assert np.array_equal(found, official), file
