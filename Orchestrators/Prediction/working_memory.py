"""Memory that a network takes to make a picture, told beforehand from small trials; counted, so the same everywhere.

Features: encoder and `prepare` are counted on four small crops, operation by operation. Each operation's share is a
polynomial in the crop's sides (features go with its pixels, attention with their square, padding with its border), so
any other crop can be told from these.

Queries: how a decoder answers may depend on how wide the picture is and how far a chunk reaches. So a chunk is counted
as it will be, on crops of the true width and of few rows.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from Models.Decoders.Queries import GridQueries, View
from Models.SuperResolver import SuperResolver
from Orchestrators.Prediction.live_memory import LiveMemory
from Utilities.coordinates import cell_of, pixel_centers

# Sides of the small crops, in steps: even, as some networks work at a half, a third or a quarter of the size.
_STEP = 12
_CROPS = ((2, 2), (2, 3), (3, 3), (2, 4))
# Features and attention take whole bytes per pixel; less is rounding.
_LEAST = 1e-3
_CHUNKS = 3  # the first, and some that begin within a row
_ROWS_BEYOND = 4  # LR rows more than a chunk reaches over


class WorkingMemory:
    """Memory that a network takes at one scale, in bytes; the picture and the result do not count.

    Args:
        model: on any device.
        scale: of height and width.
    """

    def __init__(self, model: SuperResolver, scale: tuple[float, float]) -> None:
        self._model = model
        # Fewer HR than LR pixels take no more than as many.
        self._scale = (max(scale[0], 1), max(scale[1], 1))
        self._multiple = math.lcm(4, model.encoder.size_multiple)
        self._shares, self._of_context = self._try_features()
        self._of_queries: dict[tuple[int, int], tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]] = {}

    def peak(self, height: int, width: int, queries: int) -> int:
        """Most at once for a crop of so many LR pixels, and so many queries at a time."""
        terms = _terms(*(-(-count // self._multiple) * self._multiple for count in (height, width)))
        of_queries = self._queries(height, width, queries)
        return math.ceil(max((self._shares @ terms).max(), self._of_context @ terms + of_queries))

    def _try_features(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Shares of the operations, (operations, 4), and of what is left of them."""
        step = math.lcm(_STEP, self._model.encoder.size_multiple)
        crops = [(rows * step, columns * step) for rows, columns in _CROPS]
        timelines, contexts = zip(*(self._count_features(*crop) for crop in crops), strict=True)
        if len({len(timeline) for timeline in timelines}) > 1:
            # A network that does other things at other sizes: its peaks have to do.
            timelines = tuple([max(timeline)] for timeline in timelines)
        terms = np.stack([_terms(*crop) for crop in crops])
        return _solve(terms, np.array(timelines)).T, _solve(terms, np.array(contexts))

    @torch.inference_mode()
    def _count_features(self, height: int, width: int) -> tuple[list[int], int]:
        """Bytes in use at each operation, and at the end."""
        lr = self._model.mean.new_full((1, 3, height, width), 0.5)
        with LiveMemory() as memory:
            context = self._model.prepare(lr)
            left = memory.now
            del context
        return memory.timeline, left

    def _queries(self, height: int, width: int, queries: int) -> float:
        """Most at once beside the context."""
        columns = min(round(width * self._scale[1]), _CHUNKS * queries)
        reached = math.ceil(_CHUNKS * queries / columns / self._scale[0]) + _ROWS_BEYOND
        if (width, queries) not in self._of_queries:
            fewer, more = (self._count_queries(rows, width, columns, queries) for rows in (reached, 2 * reached))
            if len(fewer) != len(more):
                fewer, more = [max(fewer)], [max(more)]
            self._of_queries[width, queries] = np.array(fewer), np.array(more)
        low, high = self._of_queries[width, queries]
        return float((low + np.maximum(high - low, 0) * (max(height, reached) - reached) / reached).max())

    @torch.inference_mode()
    def _count_queries(self, height: int, width: int, columns: int, queries: int) -> list[int]:
        """Bytes in use at each operation of a few chunks, beside the context of a crop."""
        model = self._model
        stride = model.encoder.feature_stride
        features = model.mean.new_zeros(1, model.encoder.feature_dim, -(-height // stride), -(-width // stride))
        prepared = model.decoder.prepare(features, model.mean.new_full((1, 3, height, width), 0.5))
        size = (round(height * self._scale[0]), round(width * self._scale[1]))
        like: dict[str, Any] = {'device': model.mean.device, 'dtype': model.mean.dtype}
        rows = math.ceil(_CHUNKS * queries / columns)
        centers = pixel_centers(size[0], **like)[:rows], pixel_centers(size[1], **like)[:columns]
        with LiveMemory() as memory:
            aimed = model.decoder.aim(prepared, View((height, width), cell_of(size, **like)))
            for _ in model.decoder.query_in_pieces(aimed, GridQueries(*centers), queries):
                pass
        return memory.timeline


def _terms(height: int, width: int) -> npt.NDArray[np.float64]:
    pixels = float(height * width)
    return np.array([float(height + width), pixels, pixels**2, 1.0])


def _solve(terms: npt.NDArray[np.float64], counted: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    shares = np.linalg.solve(terms, counted.astype(np.float64))
    return np.where(abs(shares) < _LEAST, 0, shares)
