"""Plans of tiles and chunks with which a picture is made in a given memory, before the run."""

import bisect
import dataclasses
import itertools
import math
from collections.abc import Callable

import torch

from Models.SuperResolver import SuperResolver
from Orchestrators.Prediction.working_memory import WorkingMemory
from Utilities.memory import MIB, FreedMemory, used_memory

_SMALLEST_CHUNK = 64
_STRIP_PIXELS = 2**17
_WIDE_TILE = 32
# Sides of tiles to choose from, LR pixels.
_SIDES = (1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 80, 96, 128, 160, 192, 256, 320, 384, 512, 640, 768, 1024, 1536, 2048)
_FLOAT_BYTES = 4
# Colors of a tile or strip, twice more while they are rounded to bytes, and the bytes.
_RESULT_BYTES = 3 * (3 * _FLOAT_BYTES + 1)
# What no tensor takes: code that is read in when first used, the interpreter's own objects.
_RESERVE = 24 * MIB
# What oneDNN keeps for each thread but the first; up to 17 MiB were measured.
_RESERVE_PER_THREAD = 24 * MIB


@dataclasses.dataclass(frozen=True)
class HeldMemory:
    """Memory in bytes that the caller holds while a picture is made, in the computer."""

    always: int = 0
    """However the picture is cut up."""

    per_row: int = 0
    """For each HR row of the tiles that lie side by side."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """Tiles and chunks of a picture."""

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
        self._chunks = [queries_per_chunk or model.default_chunk]
        while queries_per_chunk is None and self._chunks[0] > _SMALLEST_CHUNK:
            self._chunks.insert(0, self._chunks[0] // 2)
        self._working: dict[tuple[float, float], WorkingMemory] = {}
        self._freed = FreedMemory() if self._device.type == 'cpu' else None
        self._reserve = 1.1 if self._freed is None or self._freed.returned else 2.0

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
        least = min(need(self._tile(1, self._chunks[0])), need(Plan(None, 0, self._chunks[0])))
        # Only now, as trials make the program itself larger.
        used = used_memory(self._device)

        def fits(plan: Plan) -> bool:
            return used + need(plan) <= self._limit

        whole = [Plan(None, 0, chunk) for chunk in self._chunks]
        tiles = [self._tile(max(_WIDE_TILE, self._margin(_WIDE_TILE)), chunk) for chunk in self._chunks]
        # From small to large, as to try a chunk takes memory as well.
        best = list(itertools.takewhile(fits, whole)) or list(itertools.takewhile(fits, tiles))
        if best and best[-1].side is None:
            return best[-1]
        chunk = best[-1].queries_per_chunk if best else self._chunks[0]
        sides = [side for side in _SIDES if side < max(lr_size)]
        fitting = bisect.bisect(sides, False, key=lambda side: not fits(self._tile(side, chunk)))
        if not fitting:
            raise ValueError(
                f'max_memory must be at least {math.ceil((used + least) / MIB)} MiB to make {size[1]}x{size[0]} pixels '
                f'of {lr_size[1]}x{lr_size[0]}, as {math.ceil(used / MIB)} MiB are in use before; '
                f'got {self._limit // MIB}.'
            )
        return self._tile(sides[fitting - 1], chunk)

    def _tile(self, side: int, chunk: int) -> Plan:
        return Plan(side, self._margin(side), chunk)

    def _margin(self, side: int) -> int:
        field = self._model.receptive_field
        return side // 2 if field is None else field

    def _need_of(self, lr_size: tuple[int, int], size: tuple[int, int], held: HeldMemory) -> Callable[[Plan], int]:
        scale = (size[0] / lr_size[0], size[1] / lr_size[1])
        if scale not in self._working:
            self._working[scale] = WorkingMemory(self._model, scale)
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
            return math.ceil(self._reserve * network) + (host + _reserved() if on_cpu else 0)

        return need


def strip_rows(width: int) -> int:
    """HR rows that are handed over at a time, where a picture is made whole."""
    return max(1, _STRIP_PIXELS // width)


def _reserved() -> int:
    return _RESERVE + _RESERVE_PER_THREAD * (torch.get_num_threads() - 1)
