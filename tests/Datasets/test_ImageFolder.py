"""Training pictures are checked before anything starts (FAULTS cases 23, 25, 27)."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from Datasets import picture_stores
from Datasets.benchmarks import list_pictures
from Datasets.ImageFolder import ImageFolder
from Datasets.picture_stores import PicturesInTheirFiles
from tests.conftest import PictureMaker, smooth_picture
from tests.Utilities.test_images import broken_files


def test_pictures_are_decoded_once(make_pictures: PictureMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    files = make_pictures(count=2)
    reads: list[Path] = []
    original = picture_stores.read_image

    def counted(path: Path, **settings: int) -> object:
        reads.append(path)
        return original(path, **settings)

    monkeypatch.setattr(picture_stores, 'read_image', counted)
    images = ImageFolder(files)
    for _ in range(3):
        assert np.array_equal(images[1], smooth_picture(40, 48, 1))
    assert reads == files
    on_disk = ImageFolder(files, store=PicturesInTheirFiles())
    assert np.array_equal(on_disk[1], smooth_picture(40, 48, 1))
    assert len(reads) == 5


def test_all_bad_files_are_listed_before_training(make_pictures: PictureMaker, tmp_path: Path) -> None:
    good = make_pictures(count=2)
    bad = broken_files(tmp_path / 'pictures')
    with pytest.raises(ValueError, match=rf'{len(bad)} of {len(bad) + 2} pictures can not be used') as error:
        ImageFolder(list_pictures(tmp_path / 'pictures', 'pictures'))
    for file in bad:
        assert str(file) in str(error.value)
    for file in good:
        assert str(file) not in str(error.value)
    assert "on_bad_image = 'skip'" in str(error.value)


def test_bad_files_may_be_left_out(
    make_pictures: PictureMaker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good = make_pictures(count=2)
    bad = broken_files(tmp_path / 'pictures')
    images = ImageFolder(list_pictures(tmp_path / 'pictures', 'pictures'), on_bad_image='skip')
    assert images.files == good
    assert len(images.skipped) == len(bad)
    assert f'{len(bad)} of {len(bad) + 2} pictures are left out' in caplog.text


def test_when_all_are_bad_there_is_nothing_to_skip_to(tmp_path: Path) -> None:
    files = broken_files(tmp_path)
    with pytest.raises(ValueError, match='can not be used'):
        ImageFolder(files, on_bad_image='skip')


@pytest.mark.parametrize('size', [(1, 1), (31, 100), (100, 31)])
def test_a_small_picture_names_its_size_and_the_setting(size: tuple[int, int], tmp_path: Path) -> None:
    Image.new('RGB', size).save(tmp_path / 'small.png')
    with pytest.raises(ValueError, match=rf'small\.png is {size[0]}x{size[1]} pixels, smaller than the 32x32') as error:
        ImageFolder([tmp_path / 'small.png'], minimum_side=32, needed_by='input_patch = 8 at scale_range = (1, 4)')
    assert 'input_patch = 8' in str(error.value)


def test_conversions_are_noted_once_per_set(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    color = Image.fromarray(smooth_picture(10, 10, 0))
    files = []
    for number, mode in enumerate(['CMYK', 'CMYK', 'RGBA', 'RGB']):
        files.append(tmp_path / f'{number}.tif')
        color.convert(mode).save(files[-1])
    with caplog.at_level('INFO'):
        ImageFolder(files)
    messages = [record.getMessage() for record in caplog.records]
    assert messages == ['2 of 4 pictures: CMYK converted to RGB.', '1 of 4 pictures: transparency ignored.']


def test_folders_that_hold_no_pictures_say_what_they_hold(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'none should hold the pictures, but is not a folder'):
        list_pictures(tmp_path / 'none', 'the pictures')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(FileNotFoundError, match='holds none of them: nothing'):
        list_pictures(tmp_path / 'empty', 'the pictures')
    (tmp_path / 'empty' / 'notes.txt').write_text('')
    with pytest.raises(FileNotFoundError, match=r'holds none of them: notes\.txt'):
        list_pictures(tmp_path / 'empty', 'the pictures')
