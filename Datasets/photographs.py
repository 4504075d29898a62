"""The color photographs that scikit-image carries inside its wheel: always at hand, and too few for science."""

import dataclasses
import hashlib
import importlib.resources
from pathlib import Path
from typing import Literal


@dataclasses.dataclass(frozen=True)
class Photograph:
    """One of the embedded pictures."""

    file: str
    split: Literal['training', 'held-out']
    sha256: str
    credit: str


# The motorcycles are a stereo pair, so both stand on one side of the split.
PHOTOGRAPHS = (
    Photograph(
        'coffee.png',
        'training',
        'cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7',
        'Rachel Michetti, courtesy of Pikolo Espresso Bar; CC0',
    ),
    Photograph(
        'rocket.jpg',
        'training',
        'c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c',
        'SpaceX; public domain',
    ),
    Photograph(
        'motorcycle_left.png',
        'training',
        'db18e9c4157617403c3537a6ba355dfeafe9a7eabb6b9b94cb33f6525dd49179',
        'Middlebury 2014 stereo benchmark (Scharstein et al., GCPR 2014); no license stated',
    ),
    Photograph(
        'motorcycle_right.png',
        'training',
        '5fc913ae870e42a4b662314bc904d1786bcad8e2f0b9b67dba5a229406357797',
        'Middlebury 2014 stereo benchmark (Scharstein et al., GCPR 2014); no license stated',
    ),
    Photograph(
        'ihc.png',
        'training',
        'f8dd1aa387ddd1f49d8ad13b50921b237df8e9b262606d258770687b0ef93cef',
        'Center for Microscopy and Molecular Imaging; no known copyright restrictions',
    ),
    Photograph(
        'astronaut.png',
        'held-out',
        '88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5',
        'NASA; public domain',
    ),
    Photograph(
        'chelsea.png',
        'held-out',
        '596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb',
        'Stefan van der Walt; CC0',
    ),
)


def photograph_files(split: Literal['training', 'held-out']) -> list[Path]:
    """Paths of the embedded pictures of one side of the fixed split.

    Raises:
        FileNotFoundError: if scikit-image is not installed, or has left a picture out.
        ValueError: if a picture is not the one that this framework knows.
    """
    try:
        folder = Path(str(importlib.resources.files('skimage') / 'data'))
    except ModuleNotFoundError as error:
        raise FileNotFoundError('BenchmarkType.Photographs needs scikit-image: pip install scikit-image.') from error
    files = []
    for photograph in PHOTOGRAPHS:
        if photograph.split != split:
            continue
        file = folder / photograph.file
        if not file.is_file():
            raise FileNotFoundError(f'This scikit-image has no {file}; install a version from 0.22 on.')
        if hashlib.sha256(file.read_bytes()).hexdigest() != photograph.sha256:
            raise ValueError(f'{file} is not the picture that results are compared on; install scikit-image again.')
        files.append(file)
    return files
