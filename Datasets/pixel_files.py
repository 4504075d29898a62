"""Decoded pictures as files that are mapped into memory instead of being read: a header of one page, then the pixels.

One file per picture: it is rebuilt, evicted and shared between recipes by itself. Crops come as fast out of 200 such
files as out of one large one.
"""

import json
import math
import os
from pathlib import Path

import numpy as np
import torch

from Datasets.picture_stores import Reading
from Utilities.files import replacing

SUFFIX = '.pixels'
_FORMAT = 'assr pixels 2'
HEADER_BYTES = 4096
"""A page, so that the pixels begin on one."""


def write_pixels(path: Path, reading: Reading) -> None:
    """Write a picture, whole or not at all; processes that write the same one at once do not disturb each other.

    Raises:
        OSError: if it can't be written.
    """
    height, width, _ = reading.pixels.shape
    kept = {'notes': reading.notes, 'fingerprint': reading.fingerprint}
    header = {'format': _FORMAT, 'height': height, 'width': width} | kept
    with replacing(path) as temporary, temporary.open('wb') as file:
        file.write(json.dumps(header).encode().ljust(HEADER_BYTES))
        file.write(np.ascontiguousarray(reading.pixels).data)
        file.flush()
        # Without it, a power cut may leave a file of the right size full of zeros.
        os.fsync(file.fileno())


def map_pixels(path: Path) -> Reading | None:
    """The picture of a file, whose pixels are fetched from the disk when they are looked at.

    None if there is no such file, or it is damaged: its size must be what its header says.
    """
    try:
        with path.open('rb') as file:
            header = json.loads(file.read(HEADER_BYTES))
            size = os.fstat(file.fileno()).st_size
        shape = (header['height'], header['width'], 3)
        is_whole = header['format'] == _FORMAT and size == HEADER_BYTES + math.prod(shape)
        notes, of_pixels = tuple(header['notes']), str(header['fingerprint'])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not is_whole:
        return None
    # NumPy's maps each keep a file open, of which a process may have as few as 256; torch's do not. It maps privately,
    # so that nothing can change the file.
    mapped = torch.from_file(str(path), shared=False, size=size, dtype=torch.uint8).numpy()
    pixels = mapped[HEADER_BYTES:].reshape(shape)
    pixels.flags.writeable = False
    return Reading(pixels, notes, of_pixels)
