"""How many training samples one core makes."""

import tempfile
import time
from pathlib import Path
from typing import Literal

import numpy as np

from Datasets.ImageFolder import ImageFolder
from Datasets.picture_stores import PicturesInMemory, PicturesInTheirFiles, PictureStore
from Datasets.PicturesOnDisk import PicturesOnDisk
from Datasets.TrainingCrops import TrainingCrops
from Orchestrators.benchmark.measuring import Spread
from Utilities.images import write_png

CacheKind = Literal['memory', 'disk', 'none']
_SIZE = (1356, 2040)
_PICTURES = 4
_BATCH = 16


def samples_per_second(alternations: int, *, cache: CacheKind, samples: int) -> Spread:
    """48x48 LR patches at scales from 1 to 4, with 2304 queries, out of pictures as large as DIV2K's.

    Args:
        alternations: how often so many samples are timed.
        cache: where the decoded pictures are kept, as the setting of that name has it.
        samples: how many.
    """
    with tempfile.TemporaryDirectory() as folder:
        files = _write_pictures(Path(folder) / 'pictures')
        images = ImageFolder(files, store=_store(cache, Path(folder)))
        crops = TrainingCrops(images, input_patch=48, scale_range=(1, 4), queries=48**2, repeat=samples)
        found = []
        for epoch in range(1, alternations + 1):
            start = time.thread_time()
            for first in range(0, samples, _BATCH):
                crops.__getitems__([(epoch, index) for index in range(first, min(first + _BATCH, samples))])
            found.append(samples / (time.thread_time() - start))
    return Spread.of(found)


def _store(cache: CacheKind, folder: Path) -> PictureStore:
    if cache == 'disk':
        return PicturesOnDisk(folder / 'cache', limit_bytes=2**30)
    return PicturesInMemory() if cache == 'memory' else PicturesInTheirFiles()


def _write_pictures(folder: Path) -> list[Path]:
    """Smooth shades with some noise, which are about as large as files of photographs."""
    folder.mkdir()
    files = []
    y, x = np.mgrid[0 : _SIZE[0], 0 : _SIZE[1]]
    for number in range(_PICTURES):
        random = np.random.default_rng(number)
        waves = [np.sin(y / random.uniform(20, 80) + x / random.uniform(20, 80)) for _ in range(3)]
        noise = random.normal(0, 4, (*_SIZE, 3))
        files.append(folder / f'{number}.png')
        write_png(files[-1], np.clip(128 + 90 * np.stack(waves, axis=-1) + noise, 0, 255).astype(np.uint8))
    return files
