"""Addresses of the data sets, as far as they have a public one.

The SHA-256 and sizes of DIV2K are those that TensorFlow Datasets pins (tensorflow/datasets@333639b,
`tensorflow_datasets/url_checksums/div2k.txt`). For the archive of the EDSR authors no published SHA-256 is known, so
its entry has none, and the command asks before it takes what arrives.
"""

import dataclasses
from pathlib import PurePosixPath
from urllib.parse import urlsplit

GIB = 1024**3


@dataclasses.dataclass(frozen=True)
class Archive:
    """One file to fetch."""

    address: str

    sha256: str | None = None
    """None: not known, so what arrives can't be verified."""

    size_bytes: int | None = None

    folder: str = ''
    """Folder, below that of the data sets, in which it is unpacked."""

    max_unpacked_bytes: int = 8 * GIB
    """More than this is refused, whatever the archive says."""

    @property
    def file(self) -> str:
        """Its name."""
        return PurePosixPath(urlsplit(self.address).path).name


@dataclasses.dataclass(frozen=True)
class Part:
    """Part of a data set that an archive brings."""

    archive: Archive

    folders: tuple[str, ...]
    """Folders of its pictures, below the data sets' folder: the first is where the archive puts them."""

    pictures: int
    """Number of pictures; with as many already in one of the folders there is nothing to fetch."""


@dataclasses.dataclass(frozen=True)
class Source:
    """A data set."""

    page: str
    """Page to read about it, and to get it where there is no address."""

    parts: tuple[Part, ...] = ()

    by_hand: str = ''
    """Instruction for where there is no address."""


def _div2k(name: str, folder: str, pictures: int, size_bytes: int, sha256: str) -> Part:
    address = f'https://data.vision.ee.ethz.ch/cvl/DIV2K/{name}.zip'
    return Part(Archive(address, sha256, size_bytes, 'DIV2K'), (f'DIV2K/{folder}',), pictures)


_EDSR_BENCHMARK = Archive('https://cv.snu.ac.kr/research/EDSR/benchmark.tar', max_unpacked_bytes=2 * GIB)


def _of_edsr(name: str, pictures: int) -> Source:
    parts = (Part(_EDSR_BENCHMARK, (f'benchmark/{name}/HR', f'{name}/HR'), pictures),)
    return Source('https://github.com/sanghyun-son/EDSR-PyTorch', parts)


def _by_hand(name: str, page: str) -> Source:
    return Source(page, by_hand=f'Put its HR pictures into {name}/HR, and LR pictures into {name}/LR_bicubic/X2 etc.')


SOURCES = {
    'div2k': Source(
        'https://data.vision.ee.ethz.ch/cvl/DIV2K/',
        (
            _div2k('DIV2K_train_HR', 'DIV2K_train_HR', 800, 3_530_603_713,
                   '9d0b9c463f6e35b6c62cc6a930ee2224f670b34c1df841a57670f9acf0f6c335'),
            _div2k('DIV2K_valid_HR', 'DIV2K_valid_HR', 100, 448_993_893,
                   '20dd31fd84d777bc1cf5d6b7654a3f569c0aec74458ae094122ad1d0489900fc'),
            _div2k('DIV2K_valid_LR_bicubic_X2', 'DIV2K_valid_LR_bicubic/X2', 100, 117_763_600,
                   '60eed9875c697df51204aa579e2a699e1d5215095788a097ff54dd17e2664d57'),
            _div2k('DIV2K_valid_LR_bicubic_X3', 'DIV2K_valid_LR_bicubic/X3', 100, 54_513_392,
                   '04b9a2ed3b4a0715d3924d3ae8514830c3328fac8d30512ce716d6f419e052a3'),
            _div2k('DIV2K_valid_LR_bicubic_X4', 'DIV2K_valid_LR_bicubic/X4', 100, 31_505_881,
                   'a50a5d1c4b88de4e8d300d8fb2b904c52fe93b2b298a4899697760d7cbb6d553'),
        ),
    ),
    'set5': _of_edsr('Set5', 5),
    'set14': _of_edsr('Set14', 14),
    'b100': _of_edsr('B100', 100),
    'urban100': _of_edsr('Urban100', 100),
    'svt': _by_hand('SVT', 'http://vision.ucsd.edu/~kai/svt/'),
    'celeba_hq': _by_hand('CelebA_HQ', 'https://github.com/tkarras/progressive_growing_of_gans'),
}  # fmt: skip
"""By the names that the command takes: those of `BenchmarkType` in small letters."""
