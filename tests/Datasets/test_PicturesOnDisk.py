"""The cache of decoded pictures: the same pixels, decoded once, never more than its share of the disk."""

import logging
import multiprocessing
import os
import pickle
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from Datasets import picture_stores
from Datasets.ImageFolder import ImageFolder
from Datasets.loaders import EpochBatches, load_batches
from Datasets.picture_stores import PicturesInTheirFiles, PictureStore
from Datasets.PicturesOnDisk import PicturesOnDisk
from Datasets.pixel_files import HEADER_BYTES, map_pixels
from Datasets.TrainingCrops import TrainingCrops
from tests.conftest import PATIENCE, PictureMaker, smooth_picture
from Utilities.images import ImageError

GIB = 2**30
CACHE = Path('cache')
BYTES = HEADER_BYTES + 40 * 48 * 3
"""Of a picture by `make_pictures`."""


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Every file that is decoded from now on."""
    files: list[Path] = []
    original = picture_stores.read_image

    def counted(path: Path, **settings: int) -> object:
        files.append(path)
        return original(path, **settings)

    monkeypatch.setattr(picture_stores, 'read_image', counted)
    return files


def folder_of(files: list[Path], limit_bytes: int = GIB, cache: Path = CACHE) -> ImageFolder:
    return ImageFolder(files, store=PicturesOnDisk(cache, limit_bytes))


def entries() -> list[Path]:
    return sorted(CACHE.iterdir())


def test_pictures_are_decoded_once_for_all_runs(make_pictures: PictureMaker, decoded: list[Path]) -> None:
    files = make_pictures(count=3)
    for _ in range(2):
        images = folder_of(files)
        for _ in range(2):
            assert all(np.array_equal(images[index], smooth_picture(40, 48, index)) for index in range(3))
    assert decoded == files
    # Another run, of other pictures and one of the same.
    folder_of([*make_pictures('others', count=1), files[1]])
    assert len(decoded) == 4
    assert [file.stat().st_size for file in entries()] == [BYTES] * 4


def test_pixels_are_mapped_and_can_not_be_changed(make_pictures: PictureMaker) -> None:
    pixels = folder_of(make_pictures(count=1))[0]
    assert not pixels.flags.owndata
    with pytest.raises(ValueError, match='read-only'):
        pixels[0, 0, 0] = 1


def test_a_changed_picture_is_decoded_again_and_its_old_pixels_go(
    make_pictures: PictureMaker, decoded: list[Path]
) -> None:
    """Also if its file is as large as before."""
    files = [file.rename(file.with_suffix('.bmp')) for file in make_pictures(count=2)]
    for number, file in enumerate(files):
        Image.fromarray(smooth_picture(40, 48, number)).save(file)
    folder_of(files)
    status = files[0].stat()
    Image.fromarray(smooth_picture(40, 48, 7)).save(files[0])
    assert files[0].stat().st_size == status.st_size
    os.utime(files[0], ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    images = folder_of(files)
    assert np.array_equal(images[0], smooth_picture(40, 48, 7))
    assert decoded == [*files, files[0]]
    assert len(entries()) == 2


def _shorten(content: bytes) -> bytes:
    return content[:-1]


def _lengthen(content: bytes) -> bytes:
    return content + b'\0'


def _empty(_: bytes) -> bytes:
    return b''


def _spoil_header(content: bytes) -> bytes:
    return b'\0' * HEADER_BYTES + content[HEADER_BYTES:]


def _other_shape(content: bytes) -> bytes:
    return content.replace(b'"height": 40', b'"height": 41')


@pytest.mark.parametrize('damage', [_shorten, _lengthen, _empty, _spoil_header, _other_shape])
def test_a_damaged_file_of_the_cache_is_made_again(
    damage: Callable[[bytes], bytes], make_pictures: PictureMaker, decoded: list[Path]
) -> None:
    files = make_pictures(count=2)
    images = folder_of(files)
    before = [file.read_bytes() for file in entries()]
    entries()[0].write_bytes(damage(before[0]))
    assert map_pixels(entries()[0]) is None
    del images
    folder_of(files)
    assert len(decoded) == 3
    assert [file.read_bytes() for file in entries()] == before


def test_a_write_that_fails_leaves_nothing_behind(make_pictures: PictureMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Durable before it gets its name: else a power cut could leave zeros that look whole."""
    files = make_pictures(count=1)
    order = []
    original = os.replace
    monkeypatch.setattr('Datasets.pixel_files.os.fsync', lambda _: order.append('fsync'))
    monkeypatch.setattr('Utilities.files.os.replace', lambda *paths: (order.append('replace'), original(*paths)))
    folder_of(files)
    assert order == ['fsync', 'replace']

    def full(_: int) -> None:
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr('Datasets.pixel_files.os.fsync', full)
    with pytest.raises(ValueError, match=r'other, can not be written: .*No space left.* Set cache_folder to another'):
        folder_of(files, cache=Path('other'))
    assert list(Path('other').iterdir()) == []


def test_a_set_that_does_not_fit_says_how_much_it_needs(make_pictures: PictureMaker) -> None:
    files = make_pictures(count=3)
    with pytest.raises(ValueError, match=rf'the 3 pictures take {3 * BYTES / GIB:.3g} GiB .* Set it to 1 or more'):
        folder_of(files, 3 * BYTES - 1)
    assert entries() == []
    folder_of(files, 3 * BYTES)


def test_a_disk_that_is_too_small_is_found_out_before(
    make_pictures: PictureMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('Datasets.PicturesOnDisk.shutil.disk_usage', lambda _: type('Usage', (), {'free': BYTES}))
    folder_of(make_pictures(count=1))
    with pytest.raises(ValueError, match=r'GiB left\. Set cache_folder to a larger disk'):
        folder_of(make_pictures('more', count=2))


def test_decoded_pictures_of_others_are_never_removed(make_pictures: PictureMaker, decoded: list[Path]) -> None:
    """Where they take the room, that is said."""
    first, second = make_pictures('a', count=2), make_pictures('b', count=2)
    folder_of(first, 4 * BYTES)
    before = entries()
    with pytest.raises(ValueError, match=rf'with {2 * BYTES / GIB:.3g} GiB of other pictures, .* Set it to 1 or more'):
        folder_of(second, 4 * BYTES - 1)
    assert entries() == before
    folder_of(second, 4 * BYTES)
    decoded.clear()
    folder_of([*first, *second], 4 * BYTES)
    assert decoded == []


def test_leftovers_of_killed_processes_go_after_a_day(make_pictures: PictureMaker) -> None:
    CACHE.mkdir()
    for name, age in (('.tmp-1-old.pixels', 2 * 86400), ('.tmp-2-new.pixels', 60)):
        (CACHE / name).touch()
        os.utime(CACHE / name, (time.time() - age,) * 2)
    (CACHE / 'notes.txt').touch()
    folder_of(make_pictures(count=1), BYTES)
    assert not (CACHE / '.tmp-1-old.pixels').exists()
    assert (CACHE / '.tmp-2-new.pixels').exists()
    assert (CACHE / 'notes.txt').exists()


def test_the_cache_never_lies_among_pictures(make_pictures: PictureMaker) -> None:
    """FAULTS case 45: nothing is written into a folder of pictures."""
    files = make_pictures(count=1)
    Path('link').symlink_to('pictures')
    for cache in (Path('pictures'), Path('pictures/deep/down'), Path('link/cache')):
        with pytest.raises(ValueError, match=r'cache_folder = .* must not lie in a folder of pictures, such as'):
            folder_of(files, cache=cache)
    assert [file.name for file in Path('pictures').iterdir()] == ['picture_0.png']


def test_a_folder_that_can_not_be_written_to_is_named(make_pictures: PictureMaker) -> None:
    Path('file').touch()
    with pytest.raises(ValueError, match=r'file/cache, can not be written.*Set cache_folder to another folder'):
        folder_of(make_pictures(count=1), cache=Path('file/cache'))


def test_bad_pictures_are_listed_and_notes_made_as_ever(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    Path('pictures').mkdir()
    Image.fromarray(smooth_picture(10, 10, 0)).convert('RGBA').save('pictures/clear.png')
    Path('pictures/empty.png').touch()
    Path('pictures/lost.png').symlink_to('nowhere.png')
    for _ in range(2):
        caplog.clear()
        folder_of([Path('pictures/clear.png')])
        assert '1 of 1 pictures: transparency ignored.' in caplog.messages
    with pytest.raises(ValueError, match='2 of 3 pictures can not be used') as error:
        folder_of([Path('pictures') / name for name in ('clear.png', 'empty.png', 'lost.png')])
    assert 'empty.png is not a readable picture' in str(error.value)
    assert 'lost.png does not exist' in str(error.value)


def test_the_limit_on_pixels_holds_for_what_is_in_the_cache(make_pictures: PictureMaker) -> None:
    files = make_pictures(count=1)
    folder_of(files)
    with pytest.raises(ValueError, match='more than max_image_pixels = 100'):
        ImageFolder(files, store=PicturesOnDisk(CACHE, GIB, max_image_pixels=100))


# Several processes


def test_800_pictures_are_handed_to_a_worker_in_less_than_100_kilobytes(make_pictures: PictureMaker) -> None:
    """Names only; what is mapped stays behind, and is mapped anew."""
    file = make_pictures('a folder of training pictures', count=1)[0]
    files = [file.with_name(f'{number:04}x.png') for number in range(800)]
    for copy in files:
        os.link(file, copy)
    images = folder_of(files)
    assert all(images[index].shape == (40, 48, 3) for index in range(800))
    crops = TrainingCrops(images, input_patch=8, scale_range=(1, 4), queries=64)
    pickled = pickle.dumps(crops)
    assert len(pickled) < 100_000
    copy = pickle.loads(pickled)
    assert all(np.array_equal(*pair) for pair in zip(copy[1, 5], crops[1, 5], strict=True))


def all_stores() -> list[PictureStore | None]:
    return [None, PicturesInTheirFiles(), PicturesOnDisk(CACHE, GIB)]


@pytest.mark.parametrize('workers', [0, 2])
def test_where_pictures_are_kept_changes_no_sample(workers: int, make_pictures: PictureMaker) -> None:
    files = make_pictures(count=3)
    runs = []
    for store in all_stores():
        crops = TrainingCrops(ImageFolder(files, store=store), input_patch=8, scale_range=(1, 4), queries=64, repeat=4)
        batches = EpochBatches(len(crops), 4, epochs=1, seed=0)
        runs.append([t for batch in load_batches(crops, batches, workers=workers, pin_memory=False) for t in batch])
    for other in runs[1:]:
        assert all(np.array_equal(one, two) for one, two in zip(runs[0], other, strict=True))


def test_a_picture_that_another_run_removed_is_made_again(make_pictures: PictureMaker, decoded: list[Path]) -> None:
    files = make_pictures(count=2)
    images = folder_of(files)
    for file in entries():
        file.unlink()
    assert np.array_equal(images[1], smooth_picture(40, 48, 1))
    assert np.array_equal(images[1], smooth_picture(40, 48, 1))
    assert decoded == [*files, files[1]]
    Image.fromarray(smooth_picture(41, 48, 7)).save(files[0])
    with pytest.raises(ImageError, match=r'picture_0\.png has changed since the run began'):
        images[0]


def _build(files: list[Path], barrier: object, sums: object) -> None:
    barrier.wait()  # type: ignore[attr-defined]
    images = folder_of(files)
    sums.put([int(images[index].sum()) for index in range(len(files))])  # type: ignore[attr-defined]


def test_two_runs_may_fill_the_cache_at_once(make_pictures: PictureMaker) -> None:
    files = make_pictures(count=8)
    context = multiprocessing.get_context('fork')
    barrier, sums = context.Barrier(2), context.Queue()
    processes = [context.Process(target=_build, args=(files, barrier, sums)) for _ in range(2)]
    for process in processes:
        process.start()
    found = [sums.get(timeout=PATIENCE) for _ in processes]
    for process in processes:
        process.join(PATIENCE)
        assert process.exitcode == 0
    assert found == [[int(smooth_picture(40, 48, number).sum()) for number in range(8)]] * 2
    assert len(entries()) == 8
    assert all(map_pixels(file) is not None for file in entries())
