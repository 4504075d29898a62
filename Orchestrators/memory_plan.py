"""How a picture is cut up so that it is made in a given memory: planned before the run, from what the network takes.

What a network takes is counted on four small crops, operation by operation. Every operation's share is a polynomial in
the crop's sides (features go with its pixels, attention with their square, padding with its border) and in the queries
of a chunk, so any other crop can be told from these.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import torch

from Models.SuperResolver import SuperResolver, default_chunk
from Utilities.coordinates import Crop
from Utilities.live_memory import LiveMemory
from Utilities.memory import MIB, return_freed_memory, used_memory

_SMALLEST_CHUNK = 64
_STRIP_PIXELS = 2**17
_WHOLE = 10**9  # larger than any side
_WIDE_TILE = 32
_FLOAT_BYTES = 4
# Colors of a tile or strip, twice more while they are rounded to bytes, and the bytes.
_RESULT_BYTES = 3 * (3 * _FLOAT_BYTES + 1)
# What no tensor takes: code that is read in when first used, the interpreter's own objects.
_RESERVE = 24 * MIB
# Crops and chunks that are tried; even, as some networks work at a half, a third or a quarter of the size.
_STEP = 12
_CROPS = ((2, 2), (2, 3), (3, 3), (2, 4))
_CHUNKS = (6, 12)
# Features and attention take whole bytes per pixel; less is rounding.
_LEAST = 1e-3


@dataclasses.dataclass(frozen=True)
class WorkingMemory:
    """What a network takes for a crop and a chunk at one scale, in bytes; without the result."""

    shares: npt.NDArray[np.float64]
    """(operations, 5): per border pixel, per pixel, per pixel squared, per query, and always."""

    multiple: int
    """Sides between multiples of this take as much as the next one, or less."""

    def peak(self, height: int, width: int, queries: int) -> int:
        """Most at once for a crop of so many LR pixels."""
        height, width = (-(-count // self.multiple) * self.multiple for count in (height, width))
        return math.ceil((self.shares @ _terms(height, width, queries)).max())


def _terms(height: int, width: int, queries: int) -> npt.NDArray[np.float64]:
    pixels = float(height * width)
    return np.array([float(height + width), pixels, pixels**2, float(queries), 1.0])


def working_memory(model: SuperResolver, scale: tuple[float, float]) -> WorkingMemory:
    """Count it.

    Args:
        model: on any device.
        scale: of height and width.
    """
    step = math.lcm(_STEP, model.encoder.size_multiple)
    trials = [(rows * step, columns * step, _CHUNKS[0]) for rows, columns in _CROPS]
    trials.append((*trials[0][:2], _CHUNKS[1]))
    timelines = [_timeline(model, (height, width), scale, queries) for height, width, queries in trials]
    length = min(map(len, timelines))
    if len({len(timeline) for timeline in timelines}) > 1:
        # A network that does other things at other sizes: its peaks have to do.
        timelines, length = [[max(timeline)] for timeline in timelines], 1
    terms = np.stack([_terms(*trial) for trial in trials])
    counted = np.array([timeline[:length] for timeline in timelines], dtype=np.float64)
    shares = np.linalg.solve(terms, counted).T
    return WorkingMemory(np.where(abs(shares) < _LEAST, 0, shares), math.lcm(4, model.encoder.size_multiple))


@torch.inference_mode()
def _timeline(model: SuperResolver, lr_size: tuple[int, int], scale: tuple[float, float], queries: int) -> list[int]:
    """Bytes in use at each operation, while two chunks of a column of HR pixels are made."""
    lr = model.mean.new_full((1, 3, *lr_size), 0.5)
    # Fewer HR than LR pixels have no room for two chunks, and take no more.
    height, width = (round(count * max(factor, 1)) for count, factor in zip(lr_size, scale, strict=True))
    part = (range(2 * queries), range(1))
    with LiveMemory() as memory:
        model.upscale_part(lr, Crop.whole(lr_size), (height, width), part, queries_per_chunk=queries)
    return memory.timeline


@dataclasses.dataclass(frozen=True)
class HeldMemory:
    """What the caller holds in the computer's memory while a picture is made, in bytes."""

    always: int = 0
    """However the picture is cut up."""

    per_row: int = 0
    """For each HR row of the tiles that lie side by side."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """How a picture is cut up."""

    side: int | None
    """LR pixels of a tile. None: the whole picture at once."""

    margin: int
    """LR pixels that a tile sees to each side of itself."""

    queries_per_chunk: int

    def __str__(self) -> str:
        what = 'the whole picture'
        if self.side is not None:
            what = f'tiles of {self.side} LR pixels that see {self.margin} more to each side'
        return f'{what}, {self.queries_per_chunk} queries at a time'

    @property
    def seen(self) -> int:
        """Widest crop that is cut out around a tile."""
        assert self.side is not None
        # As TilePredictor does it.
        return self.side + 2 * (self.margin + 1 if self.margin else 0)


class MemoryPlanner:
    """Chooses the largest tiles, and the largest chunks, that a picture can be made with in a given memory.

    The memory is everything that the process takes on the network's device: on a CPU the program, the network, the
    pictures and the result; on a GPU what torch's allocator hands out there, so the network and one tile.

    Args:
        model: the network.
        max_memory: MiB.
        queries_per_chunk: size of the chunks; None: as large as fits, up to the device's default.
    """

    def __init__(self, model: SuperResolver, max_memory: int, queries_per_chunk: int | None = None) -> None:
        self._model = model
        self._device = model.mean.device
        self._limit = max_memory * MIB
        largest = queries_per_chunk or default_chunk(self._device)
        self._chunks = [largest]
        while queries_per_chunk is None and self._chunks[-1] > _SMALLEST_CHUNK:
            self._chunks.append(self._chunks[-1] // 2)
        self._working: dict[tuple[float, float], WorkingMemory] = {}
        self._reserve = 1.1
        if self._device.type == 'cpu' and not return_freed_memory():
            self._reserve = 2.0

    def plan(self, lr_size: tuple[int, int], size: tuple[int, int], held: HeldMemory) -> Plan:
        """The plan for a picture; the whole picture at once where that fits.

        Args:
            lr_size: (height, width) of the picture, which is in memory already.
            size: of the result.
            held: what the caller is about to hold in the computer's memory.

        Raises:
            ValueError: if the memory is too small whatever is done; the message says what is needed.
        """
        need = self._need_of(lr_size, size, held)
        used = used_memory(self._device)
        fits = [plan for plan in self._candidates(lr_size) if used + need(plan) <= self._limit]
        if not fits:
            least = min(need(plan) for plan in self._candidates(lr_size))
            raise ValueError(
                f'max_memory must be at least {math.ceil((used + least) / MIB)} MiB to make {size[1]}x{size[0]} pixels '
                f'of {lr_size[1]}x{lr_size[0]}, as {math.ceil(used / MIB)} MiB are in use before; '
                f'got {self._limit // MIB}.'
            )

        # Smaller chunks cost little; tiles that are small beside their margin cost much.
        def merit(plan: Plan) -> tuple[bool, int, int, int]:
            side = plan.side or _WHOLE
            return (plan.side is None, min(side, max(_WIDE_TILE, plan.margin)), plan.queries_per_chunk, side)

        return max(fits, key=merit)

    def _candidates(self, lr_size: tuple[int, int]) -> Iterator[Plan]:
        halo = self._model.receptive_field
        for chunk in self._chunks:
            yield Plan(None, 0, chunk)
            for side in _sides(max(lr_size)):
                yield Plan(side, side // 2 if halo is None else halo, chunk)

    def _need_of(self, lr_size: tuple[int, int], size: tuple[int, int], held: HeldMemory) -> Callable[[Plan], int]:
        scale = (size[0] / lr_size[0], size[1] / lr_size[1])
        if scale not in self._working:
            self._working[scale] = working_memory(self._model, scale)
        working = self._working[scale]
        on_cpu = self._device.type == 'cpu'

        def need(plan: Plan) -> int:
            height, width = (count if plan.side is None else min(count, plan.seen) for count in lr_size)
            network = working.peak(height, width, plan.queries_per_chunk) + 3 * _FLOAT_BYTES * height * width
            if plan.side is None:
                rows, columns = strip_rows(size[1]), size[1]
            else:
                rows, columns = (
                    min(count, math.ceil(plan.side * factor) + 1) for count, factor in zip(size, scale, strict=True)
                )
            host = held.always + held.per_row * rows + _RESULT_BYTES * rows * columns
            return math.ceil(self._reserve * network) + (host + _RESERVE if on_cpu else 0)

        return need


def strip_rows(width: int) -> int:
    """HR rows that are handed over at a time, where a picture is made whole."""
    return max(1, _STRIP_PIXELS // width)


def _sides(longest: int) -> list[int]:
    """Sides of tiles to choose from: each up to 32, then in steps of about an eighth."""
    sides = [1]
    while sides[-1] < longest:
        sides.append(sides[-1] + max(1, sides[-1] // 8))
    return sides[:-1]
