"""Predictions of a network: a picture piece by piece, in smaller chunks when memory runs out."""

import contextlib
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from Models.SuperResolver import SuperResolver
from Orchestrators.Prediction.memory_plan import HeldMemory, strip_rows
from Utilities.command_line import RunFailedError
from Utilities.memory import ChunkMemoryError, is_out_of_memory

_LOGGER = logging.getLogger(__name__)

Exactness = Literal['exact', 'approximate']


class Prediction(NamedTuple):
    """An image that a predictor made of an LR image."""

    image: Float[Tensor, '1 3 height width']
    """In [0, 1], in the computer's memory."""

    why: str | None = None
    """Reason for a difference beyond rounding from what comes of the whole LR image at once; None: there is none."""

    @property
    def exactness(self) -> Exactness:
        """Whether it is, up to rounding, what comes of the whole."""
        return 'exact' if self.why is None else 'approximate'


Predictor = Callable[[Float[Tensor, '1 3 h w'], tuple[int, int]], Prediction]
"""From an LR image in [0, 1] and a size (height, width) to an image of that size."""


@contextlib.contextmanager
def naming(picture: str, lr_size: tuple[int, int], size: tuple[int, int]) -> Iterator[None]:
    """Say of which picture, and what can be done, when memory runs out within the block, by RunFailedError."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        scales = ' x '.join(f'{scale:.3g}' for scale in dict.fromkeys((size[0] / lr_size[0], size[1] / lr_size[1])))
        raise RunFailedError(
            f'{picture} ({lr_size[1]}x{lr_size[0]}): out of memory while it was upscaled by {scales} to '
            f'{size[1]}x{size[0]}. Let it be done in tiles: give max_memory (upscale.py: --max-memory) in MiB, or '
            'OverlappingPatched with a smaller breakdown_patch_size.'
        ) from error


class Piece(NamedTuple):
    """Part of a picture that is made."""

    rows: range
    columns: range
    colors: Float[Tensor, '1 3 _ _']
    """In [0, 1], on the CPU."""


class NetworkPredictor(ABC):
    """A network that makes pictures, piece by piece.

    Where memory runs out for a chunk of coordinates, it goes on with half as many, from then on.

    Args:
        model: the network.
        queries_per_chunk: coordinates per query; None: chosen for the device.
    """

    def __init__(self, model: SuperResolver, queries_per_chunk: int | None) -> None:
        self._model = model
        self.queries_per_chunk = queries_per_chunk
        self._has_told = False

    def __call__(self, lr: Float[Tensor, '1 3 h w'], size: tuple[int, int]) -> Prediction:
        """The whole picture."""
        lr_size = (lr.shape[2], lr.shape[3])
        sr = lr.new_empty(1, 3, *size, device='cpu')
        chosen = self.chosen(lr_size, size, HeldMemory(always=sr.nbytes))
        for rows, columns, colors in chosen.pieces(lr, size):
            sr[:, :, rows.start : rows.stop, columns.start : columns.stop] = colors
        return Prediction(sr, chosen.why_approximate(lr_size, size))

    def chosen(self, lr_size: tuple[int, int], size: tuple[int, int], held: HeldMemory) -> 'NetworkPredictor':
        """The predictor that makes a picture of these sizes: this one, unless it plans."""
        return self

    @abstractmethod
    def pieces(
        self, lr: Float[Tensor, '1 3 h w'], size: tuple[int, int], held: HeldMemory | None = None
    ) -> Iterator[Piece]:
        """All of a picture, from top to bottom; pieces side by side have the same rows.

        Args:
            lr: the picture in [0, 1].
            size: (height, width) of the result.
            held: what the caller holds until the end; for those that plan.
        """

    def why_approximate(self, lr_size: tuple[int, int], size: tuple[int, int]) -> str | None:
        """Reason for a difference of such a picture from the whole beyond rounding; None: there is none."""
        return None

    def halve_chunk(self, error: ChunkMemoryError) -> None:
        """Ask for half as many coordinates at a time from now on; at one, the error is final."""
        if error.queries == 1:
            raise error
        self.queries_per_chunk = error.queries // 2
        if not self._has_told:
            self._has_told = True
            _LOGGER.warning(
                'Out of memory at %d queries at a time; going on with fewer, which changes nothing but the time.',
                error.queries,
            )


class WholePredictor(NetworkPredictor):
    """A network that is given the whole picture at once."""

    def pieces(
        self, lr: Float[Tensor, '1 3 h w'], size: tuple[int, int], held: HeldMemory | None = None
    ) -> Iterator[Piece]:
        done = 0
        while done < size[0]:
            try:
                for first, colors in self._strips(lr, size):
                    rows = range(first, first + colors.shape[2])
                    if rows.start >= done:
                        yield Piece(rows, range(size[1]), colors)
                        done = rows.stop
            except ChunkMemoryError as error:
                # From the beginning, as chunks may depend on each other; what was handed over is skipped.
                self.halve_chunk(error)

    def _strips(
        self, lr: Float[Tensor, '1 3 h w'], size: tuple[int, int]
    ) -> Iterator[tuple[int, Float[Tensor, '1 3 _ _']]]:
        """First row and colors of strips over the whole width."""
        rows, width = strip_rows(size[1]), size[1]
        first, filled = 0, 0
        strip = lr.new_empty(1, 3, rows * width, device='cpu')
        for chunk in self._model.stream(lr.cpu(), size, queries_per_chunk=self.queries_per_chunk):
            taken = 0
            while taken < chunk.shape[2]:
                part = chunk[:, :, taken : taken + strip.shape[2] - filled]
                strip[:, :, filled : filled + part.shape[2]] = part
                taken, filled = taken + part.shape[2], filled + part.shape[2]
                if filled == min(rows, size[0] - first) * width:
                    yield first, strip[:, :, :filled].unflatten(2, (-1, width))
                    first, filled = first + filled // width, 0
                    strip = torch.empty_like(strip)
