"""Files that are written whole or not at all, by whoever writes them."""

import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from Datasets.picture_stores import Reading
from Datasets.pixel_files import map_pixels, write_pixels
from Orchestrators.Prediction.tiff import write_tiff
from tests.conftest import PATIENCE
from Utilities.files import replacing, write_text
from Utilities.images import read_image, write_png

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def holds_pixels(path: Path) -> bool:
    return bool((read_image(path).pixels == PIXELS).all())


WRITERS: dict[str, tuple[str, Callable[[Path], None], Callable[[Path], bool]]] = {
    'png': ('a.png', lambda path: write_png(path, PIXELS), holds_pixels),
    'tiff': ('a.tif', lambda path: write_tiff(path, PIXELS.shape, [PIXELS]), holds_pixels),
    'pixels': (
        'a.pixels',
        lambda path: write_pixels(path, Reading(PIXELS, (), '')),
        lambda path: (found := map_pixels(path)) is not None and bool((found.pixels == PIXELS).all()),
    ),
    'text': ('a.md', lambda path: write_text(path, 'one\n'), lambda path: path.read_bytes() == b'one\n'),
}  # fmt: skip


@pytest.mark.parametrize('writer', WRITERS)
def test_two_processes_that_write_the_same_file_do_not_collide(writer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second comes and is done while the first has written but not named its file."""
    name, write, is_whole = WRITERS[writer]
    original = os.replace

    def meanwhile(source: Path, target: Path) -> None:
        monkeypatch.setattr(os, 'replace', original)
        process = multiprocessing.get_context('fork').Process(target=write, args=(target,))
        process.start()
        process.join(PATIENCE)
        assert process.exitcode == 0
        original(source, target)

    monkeypatch.setattr(os, 'replace', meanwhile)
    write(Path(name))
    assert is_whole(Path(name))
    assert [path.name for path in Path().iterdir()] == [name]


@pytest.mark.parametrize('name', ['a.txt', 'n' * 251 + '.txt', 'ü' * 125 + '.txt'])
def test_any_name_that_the_file_system_takes_can_be_written(name: str) -> None:
    write_text(Path(name), 'x')
    assert [path.name for path in Path().iterdir()] == [name]


def test_an_error_leaves_the_old_file_and_nothing_else() -> None:
    write_text(Path('a.txt'), 'old')

    def breaks() -> None:
        with replacing(Path('a.txt'), previous=Path('a.prev')) as temporary:
            temporary.write_text('new')
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        breaks()
    assert {path.name: path.read_text() for path in Path().iterdir()} == {'a.txt': 'old'}


def test_what_is_replaced_is_kept_where_that_is_asked() -> None:
    for text in ('one', 'two', 'three'):
        with replacing(Path('a.txt'), previous=Path('a.prev')) as temporary:
            temporary.write_text(text)
    assert {path.name: path.read_text() for path in Path().iterdir()} == {'a.txt': 'three', 'a.prev': 'two'}
