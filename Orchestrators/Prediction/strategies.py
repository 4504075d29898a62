"""Strategies by which a picture goes through a network, and the baseline that every table carries."""

import itertools
import logging
from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from Models.SuperResolver import SuperResolver
from Models.TestingStrategy import TestingStrategy
from Orchestrators.Prediction.memory_plan import HeldMemory, MemoryPlanner, Plan
from Orchestrators.Prediction.patches import Span, split_axis
from Orchestrators.Prediction.prediction import NetworkPredictor, Piece, Prediction, WholePredictor
from Utilities.coordinates import Crop
from Utilities.images import to_pixels, to_tensor
from Utilities.memory import ChunkMemoryError
from Utilities.resize import resize

_LOGGER = logging.getLogger(__name__)


def predictor_of(  # noqa: PLR0913
    model: SuperResolver,
    strategy: TestingStrategy,
    device: torch.device,
    queries_per_chunk: int | None,
    tile_side: int | None = None,
    overlap: int | None = None,
    *,
    max_memory: int | None = None,
) -> NetworkPredictor:
    """A network, used by a strategy.

    Args:
        model: the network, already on `device`.
        strategy: how.
        device: where it computes; pictures come and go on the CPU.
        queries_per_chunk: coordinates per query; None: chosen for the device.
        tile_side: LR pixels of a tile, for strategies with tiles.
        overlap: LR pixels that a tile sees to each side of itself, for `OverlappingPatched`. None: the network's
            receptive field, or half a tile if it has none.
        max_memory: MiB that may be in use, see `MemoryPlanner`; for `Simple`, which then takes tiles if need be.

    Raises:
        ValueError: if the strategy needs a tile_side and has none.
    """
    match strategy:
        case TestingStrategy.Simple:
            if max_memory is not None:
                return PlannedPredictor(model, MemoryPlanner(model, max_memory, queries_per_chunk))
            return WholePredictor(model, queries_per_chunk)
        case TestingStrategy.Patched:
            return TilePredictor(model, queries_per_chunk, _side(tile_side), margin=0)
        case TestingStrategy.OverlappingPatched:
            side, field = _side(tile_side), model.receptive_field
            margin = overlap if overlap is not None else side // 2 if field is None else field
            return TilePredictor(model, queries_per_chunk, side, margin)


class TilePredictor(NetworkPredictor):
    """A network that is given one tile after the other; of a GPU's memory, a picture takes no more than its tile.

    A tile is cut out with a margin, and its own HR pixels alone are asked for, at the places that they have in the
    crop. Where margins overlap nothing is averaged: with the receptive field as margin each tile is already right up to
    its last pixel, and averaging would mix in pixels of the neighbor's margin, which lack what lies beyond it. Without
    a margin there is nothing to average, and seams show.

    With a margin of the receptive field or more, tiles equal the whole up to rounding. What remains: a network that
    takes the nearest LR pixel alone and is not exact on crops (`DecoderFacts.exact_on_crops`) lets rounding decide for
    HR pixels whose center is on the border of two, as at x1.5.

    Args:
        model: the network.
        queries_per_chunk: coordinates per query; None: chosen for the device.
        side: LR pixels of a tile.
        margin: LR pixels that it sees to each side of itself.
    """

    def __init__(self, model: SuperResolver, queries_per_chunk: int | None, side: int, margin: int) -> None:
        super().__init__(model, queries_per_chunk)
        self._whole = WholePredictor(model, queries_per_chunk)
        self._side = side
        self._margin = margin
        self._has_warned = False

    def pieces(
        self, lr: Float[Tensor, '1 3 h w'], size: tuple[int, int], held: HeldMemory | None = None
    ) -> Iterator[Piece]:
        lr_size = (lr.shape[2], lr.shape[3])
        self._model.check_size(lr_size, size)
        self._warn_once(lr_size, size)
        rows, columns = self._split(lr_size, size)
        if len(rows) == len(columns) == 1:
            yield from self._whole.pieces(lr, size)
            return
        for row, column in itertools.product(rows, columns):
            yield Piece(row.pixels, column.pixels, self._upscale_tile(lr, size, row, column))

    def why_approximate(self, lr_size: tuple[int, int], size: tuple[int, int]) -> str | None:
        """Reason for a difference of such a picture's tiles from the whole beyond rounding; None: there is none."""
        if all(len(spans) == 1 for spans in self._split(lr_size, size)):
            return None
        field = self._model.receptive_field
        if field is None:
            network = f'{type(self._model.encoder).__name__}-{type(self._model.decoder).__name__}'
            return f'with these options no margin is enough for {network}'
        if self._margin < field:
            return f"{self._margin} LR pixels of margin are fewer than the network's receptive field, {field}"
        if any(count < lr_count for lr_count, count in zip(lr_size, size, strict=True)):
            return 'the receptive field holds at scales from 1 on'
        return None

    def _split(self, lr_size: tuple[int, int], size: tuple[int, int]) -> tuple[list[Span], list[Span]]:
        # One more than the margin, as a center on the border of two LR pixels may fall into either.
        seen = self._margin + 1 if self._margin else 0
        rows, columns = (split_axis(lr_size[axis], size[axis], self._side, seen) for axis in (0, 1))
        return rows, columns

    def _upscale_tile(
        self, lr: Float[Tensor, '1 3 h w'], size: tuple[int, int], row: Span, column: Span
    ) -> Float[Tensor, '1 3 _ _']:
        cut = lr[:, :, row.crop.start : row.crop.stop, column.crop.start : column.crop.stop].cpu()
        crop = Crop((lr.shape[2], lr.shape[3]), row.crop, column.crop)
        part = (row.pixels, column.pixels)
        while True:
            try:
                return self._model.upscale_part(cut, crop, size, part, queries_per_chunk=self.queries_per_chunk)
            except ChunkMemoryError as error:
                self.halve_chunk(error)

    def _warn_once(self, lr_size: tuple[int, int], size: tuple[int, int]) -> None:
        if self._has_warned:
            return
        reason = self.why_approximate(lr_size, size)
        if reason is not None:
            self._has_warned = True
            _LOGGER.warning('Tiles of %d LR pixels are approximate: %s.', self._side, reason)


class PlannedPredictor(NetworkPredictor):
    """A network that is given the whole picture where that fits into a given memory, and else tiles that do.

    Args:
        model: the network.
        planner: knows the memory.
    """

    def __init__(self, model: SuperResolver, planner: MemoryPlanner) -> None:
        super().__init__(model, None)
        self._planner = planner
        self._by_plan: dict[Plan, NetworkPredictor] = {}

    def pieces(
        self, lr: Float[Tensor, '1 3 h w'], size: tuple[int, int], held: HeldMemory | None = None
    ) -> Iterator[Piece]:
        yield from self.chosen((lr.shape[2], lr.shape[3]), size, held or HeldMemory()).pieces(lr, size)

    def chosen(self, lr_size: tuple[int, int], size: tuple[int, int], held: HeldMemory) -> NetworkPredictor:
        self._model.check_size(lr_size, size)
        plan = self._planner.plan(lr_size, size, held)
        if plan not in self._by_plan:
            _LOGGER.info('To stay within max_memory: %s.', plan)
            self._by_plan[plan] = self._predictor_of(plan)
        return self._by_plan[plan]

    def _predictor_of(self, plan: Plan) -> NetworkPredictor:
        if plan.side is None:
            return WholePredictor(self._model, plan.queries_per_chunk)
        return TilePredictor(self._model, plan.queries_per_chunk, plan.side, plan.margin)


def _side(tile_side: int | None) -> int:
    if tile_side is None or tile_side < 1:
        raise ValueError(f'The side of a tile must be at least 1 LR pixel, got {tile_side}.')
    return tile_side


def bicubic(lr: Float[Tensor, '1 3 h w'], size: tuple[int, int]) -> Prediction:
    """The baseline: the 8-bit LR picture enlarged as MATLAB's `imresize` does, rounded to 8 bits once, at the end.

    This is the route behind the bicubic rows of the EDSR and LIIF papers; Set5 gives 33.68 dB on Y at x2.
    """
    pixels = resize(to_pixels(lr[0].cpu()), size, 'matlab', rounds_between_passes=False)
    return Prediction(to_tensor(pixels)[None])
