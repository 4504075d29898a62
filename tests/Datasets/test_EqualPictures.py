"""Pictures that are trained on are found among those that are scored by (FAULTS case 29)."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from Datasets.EqualPictures import EqualPictures
from tests.conftest import smooth_picture


def test_equal_pixels_are_found_and_others_are_not() -> None:
    known = EqualPictures()
    for number in range(3):
        known.add(Path(f'{number}.png'), smooth_picture(30, 40, number))
    assert known.find(smooth_picture(30, 40, 1)) == Path('1.png')
    assert known.find(smooth_picture(30, 40, 3)) is None
    other = smooth_picture(30, 40, 1)
    other[0, 0, 0] ^= 1  # Not in a row that is looked at first.
    assert known.find(other) is None
    # The same bytes in another shape.
    assert known.find(smooth_picture(30, 40, 1).reshape(40, 30, 3)) is None
    assert EqualPictures().find(smooth_picture(30, 40, 1)) is None


def test_the_smallest_pictures_can_be_compared() -> None:
    known = EqualPictures()
    known.add(Path('one.png'), np.zeros((1, 1, 3), np.uint8))
    assert known.find(np.zeros((1, 1, 3), np.uint8)) == Path('one.png')
    assert known.find(np.ones((1, 1, 3), np.uint8)) is None


def test_looking_up_another_picture_reads_four_of_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    known = EqualPictures()
    known.add(Path('0.png'), smooth_picture(300, 40, 0))
    hashed = []
    original = hashlib.blake2b

    def counted(data: bytes, **settings: int) -> object:
        hashed.append(len(data))
        return original(data, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr('Datasets.EqualPictures.hashlib.blake2b', counted)
    known.find(smooth_picture(300, 40, 1))
    assert sum(hashed) == 4 * 40 * 3
