"""TIFF files in bands: what is read back is what was written, and a file is there whole or not at all."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from Orchestrators.Prediction import tiff
from Orchestrators.Prediction.tiff import write_tiff
from Utilities.images import Pixels


def picture(channels: int) -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (37, 23, channels), dtype=np.uint8)


def bands(pixels: Pixels, rows: int) -> Iterator[Pixels]:
    return (pixels[first : first + rows] for first in range(0, len(pixels), rows))


@pytest.mark.parametrize('rows', [1, 7, 37])
@pytest.mark.parametrize(('channels', 'mode'), [(1, 'L'), (2, 'LA'), (3, 'RGB'), (4, 'RGBA')])
def test_two_other_readers_see_the_same_pixels(
    channels: int, mode: str, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiff, '_STRIP_BYTES', 5 * 23 * channels)
    pixels = picture(channels)
    write_tiff('a.tif', pixels.shape, bands(pixels, rows))
    assert np.array_equal(tifffile.imread('a.tif').reshape(pixels.shape), pixels)
    with Image.open('a.tif') as image:
        assert image.mode == mode
        assert np.array_equal(np.asarray(image).reshape(pixels.shape), pixels)
    with tifffile.TiffFile('a.tif') as file:
        assert len(file.pages.first.dataoffsets) == 8  # strips of five rows
        assert not file.is_bigtiff


def test_a_large_picture_is_a_bigtiff(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tiff._LARGEST_ORDINARY < 2**32
    monkeypatch.setattr(tiff, '_LARGEST_ORDINARY', 37 * 23 * 3 - 1)
    write_tiff('a.tif', (37, 23, 3), bands(picture(3), 10))
    with tifffile.TiffFile('a.tif') as file:
        assert file.is_bigtiff
        assert np.array_equal(file.asarray(), picture(3))


def test_rows_are_asked_for_one_band_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory stays that of a band: the next is not made before the last is in the file."""
    monkeypatch.setattr(tiff, '_STRIP_BYTES', 8 * 64 * 3)
    sizes = []

    def noise() -> Iterator[Pixels]:
        for seed in range(8):
            sizes.append(Path(f'.tmp-{os.getpid()}-a.tif').stat().st_size)
            yield np.random.default_rng(seed).integers(0, 256, (64, 64, 3), dtype=np.uint8)

    write_tiff('a.tif', (512, 64, 3), noise())
    assert all(later - earlier > 4096 for earlier, later in zip(sizes[:-1], sizes[1:], strict=True))


def test_a_file_is_there_whole_or_not_at_all() -> None:
    Path('a.tif').write_bytes(b'the old one')

    def breaks() -> Iterator[Pixels]:
        yield picture(3)[:10]
        assert Path('a.tif').read_bytes() == b'the old one'
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_tiff('a.tif', (37, 23, 3), breaks())
    assert [path.name for path in Path().iterdir()] == ['a.tif']
    assert Path('a.tif').read_bytes() == b'the old one'
    write_tiff('a.tif', (37, 23, 3), bands(picture(3), 10))
    assert [path.name for path in Path().iterdir()] == ['a.tif']


@pytest.mark.parametrize('height', [36, 38, 74])
def test_rows_too_many_or_too_few_are_refused(height: int) -> None:
    with pytest.raises(ValueError, match=f'A picture of {height} rows was to be written, got 37'):
        write_tiff('a.tif', (height, 23, 3), bands(picture(3), 10))
    assert not list(Path().iterdir())
