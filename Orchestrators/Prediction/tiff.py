"""Writing pictures that are larger than the memory, as TIFF, from top to bottom."""

import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from Utilities.files import replacing
from Utilities.images import Metadata, Pixels

_STRIP_BYTES = 2**18
# Beyond, offsets in an ordinary TIFF have too few bits; some room for what is not pixels.
_LARGEST_ORDINARY = 2**32 - 2**25
_NONE = Metadata()


def write_tiff(
    path: str | Path, shape: tuple[int, int, int], bands: Iterable[Pixels], metadata: Metadata = _NONE
) -> None:
    """Write 8-bit pixels as TIFF (deflate; BigTIFF from 4 GB on), whole or not at all.

    Until it is whole, the file is called `.tmp-<process>-<name>`.

    Args:
        path: the file.
        shape: (height, width, channels): 1 gray, 2 gray with alpha, 3 RGB, 4 RGBA.
        bands: rows from top to bottom, any number at a time, (rows, width, channels); `height` rows in all.
        metadata: the color profile and the resolution are written; the rest has no place in a TIFF.

    Raises:
        ValueError: if there are more or fewer rows.
    """
    import tifffile  # noqa: PLC0415  slow to import

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width, channels = shape
    rows = min(height, max(1, _STRIP_BYTES // (width * channels)))
    strips = _strips(bands, rows, height)
    with replacing(path) as temporary:
        with tifffile.TiffWriter(temporary, bigtiff=height * width * channels > _LARGEST_ORDINARY) as file:
            file.write(
                (zlib.compress(strip.tobytes()) for strip in strips),
                shape=shape if channels > 1 else shape[:2],
                dtype=np.uint8,
                photometric='rgb' if channels > 2 else 'minisblack',  # noqa: PLR2004
                planarconfig='contig' if channels > 1 else None,
                extrasamples=['unassalpha'] if channels in (2, 4) else None,
                rowsperstrip=rows,
                compression='zlib',
                maxworkers=1,
                metadata=None,
                iccprofile=metadata.icc_profile,
                resolution=metadata.dpi,
                resolutionunit='INCH' if metadata.dpi else None,
            )
        for _ in strips:  # None are left, but they are counted at the end.
            pass


def _strips(bands: Iterable[Pixels], rows: int, height: int) -> Iterator[Pixels]:
    """The same rows, `rows` at a time, the last time fewer."""
    rest: Pixels | None = None
    written = 0
    for band in bands:
        joined = band if rest is None else np.concatenate([rest, band])
        whole = len(joined) // rows * rows
        for first in range(0, whole, rows):
            yield joined[first : first + rows]
        written += whole
        rest = joined[whole:].copy()
    if rest is not None and len(rest):
        yield rest
        written += len(rest)
    if written != height:
        raise ValueError(f'A picture of {height} rows was to be written, got {written}.')
