"""Training samples: a random crop at a random scale, and the HR pixels that the network is asked for.

As LIIF trains (Chen et al., CVPR 2021, section 4): scale s drawn per sample, HR crop of round(s * patch) pixels, LR
patch by Pillow's bicubic, as many random HR pixels as the LR patch has. Or pixels that lie side by side, for losses
that compare neighbors.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import Dataset

from Datasets.ImageFolder import ImageFolder
from Datasets.SampleSource import Position
from Models.SamplingType import SamplingType
from Utilities.images import Pixels
from Utilities.resize import resize
from Utilities.seeding import Streams, generator_for


class Turn(NamedTuple):
    """One of the eight ways to lay a square on itself: flip left-right, flip top-bottom, transpose, in this order."""

    horizontally: int = 0
    vertically: int = 0
    transposed: int = 0

    def apply(self, picture: Pixels) -> Pixels:
        """A turned view of a picture."""
        turned = picture[:, ::-1] if self.horizontally else picture
        turned = turned[::-1] if self.vertically else turned
        return turned.transpose(1, 0, 2) if self.transposed else turned

    def locate(
        self, rows: np.ndarray, columns: np.ndarray, corner: tuple[int, int], side: int, width: int
    ) -> np.ndarray:
        """Places of the pixels of a turned crop in the picture that it was cut from, row after row.

        Args:
            rows, columns: of the pixels in the turned crop.
            corner: (top, left) of the crop in the picture.
            side: of the crop.
            width: of the picture.
        """
        if self.transposed:
            rows, columns = columns, rows
        top, left = corner
        # From the far end backwards, if flipped.
        down = -width if self.vertically else width
        right = -1 if self.horizontally else 1
        start = (top + self.vertically * (side - 1)) * width + left + self.horizontally * (side - 1)
        return rows * down + (columns * right + start)


class TrainingBatch(NamedTuple):
    """Samples of one step. All colors are in [0, 1]."""

    lr: Float[Tensor, 'batch 3 patch patch']

    coord: Float[Tensor, 'batch queries 2']
    """Centers of the asked HR pixels as (y, x), where the crop spans [-1, 1]. All but scattered ones are a square, row
    after row."""

    cell: Float[Tensor, 'batch 2']
    """Height and width of an HR pixel in the same units."""

    hr: Float[Tensor, 'batch queries 3']
    """Colors of the asked HR pixels."""

    condition: dict[str, Float[Tensor, 'batch values']] | None = None
    """Parameters by which each LR patch was made, by name, for a network that takes them; None: unknown."""

    def to(self, device: torch.device) -> 'TrainingBatch':
        """The same batch on another device."""
        known = self.condition and {name: rows.to(device, non_blocking=True) for name, rows in self.condition.items()}
        lr, coord, cell, hr = (tensor.to(device, non_blocking=True) for tensor in self[:4])
        return TrainingBatch(lr, coord, cell, hr, known)

    def describe(self) -> str:
        """Its size, in the words of the settings that decide it."""
        samples, queries = self.coord.shape[:2]
        patch = self.lr.shape[-1]
        scales = (2 / (self.cell * patch)).flatten().tolist()
        return (
            f'batch_size = {samples}, input_patch = {patch}, {queries} queries per sample and scales from '
            f'x{min(scales):.2f} to x{max(scales):.2f}'
        )


class _Crop(NamedTuple):
    """An LR patch, and the square of the HR picture that it shows."""

    lr: Pixels
    picture: Pixels
    """The whole HR picture."""

    top: int
    left: int
    side: int
    """In pixels of the HR picture."""


class _Sample(NamedTuple):
    """One sample, its colors still as bytes."""

    lr: Pixels
    """Channels first."""

    hr: Pixels
    """(queries, 3)."""

    coord: npt.NDArray[np.float32]
    side: int
    """Of the HR crop in pixels."""


class TrainingCrops(Dataset[TrainingBatch]):
    """Samples as a pure function of (seed, epoch, index): workers, restarts and call order change nothing.

    It is indexed by a `Position`, or (epoch, index), with 0 <= index < len(images) * repeat; index modulo the number of
    pictures is the picture. With `SamplingType.Crop` the scale is a function of (seed, epoch, batch).

    Args:
        images: the HR pictures, each at least round(patch * largest scale) pixels wide and high. If they have LR
            partners, these are the input, at one of their scales each time.
        input_patch: side of the LR patch in pixels.
        scale_range: smallest and largest scale; drawn uniformly. Partners have scales of their own.
        queries: HR pixels asked for per sample; a square number for `SamplingType.Window`; `SamplingType.Crop` takes
            them all.
        sampling: which of them.
        augment: random flips and transposition.
        repeat: crops of each picture per epoch.
        seed: the run's seed.
    """

    def __init__(  # noqa: PLR0913
        self,
        images: ImageFolder,
        *,
        input_patch: int,
        scale_range: tuple[float, float],
        queries: int,
        sampling: SamplingType = SamplingType.Scattered,
        augment: bool = True,
        repeat: int = 1,
        seed: int = 0,
    ) -> None:
        self._images = images
        self._pair_scales = images.pair_scales
        self._input_patch = input_patch
        self._scale_range = scale_range
        self._queries = queries
        self._sampling = sampling
        self._augment = augment
        self._repeat = repeat
        self._seed = seed

    def __len__(self) -> int:
        """Samples per epoch."""
        return len(self._images) * self._repeat

    def file_of(self, sample: int) -> Path:
        """The picture that a sample of an epoch is cut from."""
        return self._images.files[sample % len(self._images)]

    def __getitem__(self, position: Position | tuple[int, int]) -> TrainingBatch:
        """One sample, without the axis of the batch."""
        batch = self.__getitems__([position])
        return batch._replace(**{name: tensor[0] for name, tensor in batch._asdict().items() if tensor is not None})

    def __getitems__(self, positions: Sequence[Position | tuple[int, int]]) -> TrainingBatch:
        """The samples of a batch. The loader asks for them together, so that bytes become numbers once per batch."""
        streams = Streams(self._seed, 'sample')
        samples = [self._sample_at(Position(*position), streams) for position in positions]
        return TrainingBatch(
            lr=_to_colors([sample.lr for sample in samples]),
            coord=torch.from_numpy(np.stack([sample.coord for sample in samples])),
            cell=torch.tensor([[2 / sample.side] * 2 for sample in samples]),
            hr=_to_colors([sample.hr for sample in samples]),
        )

    def _sample_at(self, position: Position, streams: Streams) -> _Sample:
        epoch, index, batch = position
        picture_index = index % len(self._images)
        try:
            random = streams.at(epoch, index)
            one_scale = self._sampling is SamplingType.Crop
            scale_random = generator_for(self._seed, 'scale', epoch, batch) if one_scale else random
            cut = self._cut_pair if self._pair_scales else self._cut
            return self._sample(cut(picture_index, scale_random, random), random)
        except Exception as error:
            worker = torch.utils.data.get_worker_info()
            place = f'worker {worker.id}' if worker else 'the main process'
            # A RuntimeError, as only types that are built from one text come back whole from a worker.
            reason = str(error) or type(error).__name__
            file = self._images.files[picture_index]
            raise RuntimeError(f'Sample {index} of epoch {epoch}, from {file}, failed in {place}: {reason}') from error

    def _cut(self, index: int, scale_random: np.random.Generator, random: np.random.Generator) -> _Crop:
        """A crop at any scale, and its reduction."""
        picture = self._images[index]
        side = round(self._input_patch * scale_random.uniform(*self._scale_range))
        top, left = _place(picture, side, random)
        lr = resize(picture[top : top + side, left : left + side], (self._input_patch, self._input_patch), 'pillow')
        return _Crop(lr, picture, top, left, side)

    def _cut_pair(self, index: int, scale_random: np.random.Generator, random: np.random.Generator) -> _Crop:
        """A patch of an LR picture, and the HR pixels that it covers."""
        scale = self._pair_scales[int(scale_random.integers(len(self._pair_scales)))]
        picture, partner, patch = self._images[index], self._images.lr_partner(index, scale), self._input_patch
        top, left = _place(partner, patch, random)
        return _Crop(partner[top : top + patch, left : left + patch], picture, top * scale, left * scale, patch * scale)

    def _sample(self, crop: _Crop, random: np.random.Generator) -> _Sample:
        lr, picture, top, left, side = crop
        turn = Turn(*random.integers(2, size=3).tolist()) if self._augment else Turn()
        chosen = choose_pixels(self._sampling, side, self._queries, random)
        # Numbers of 32 bits divide several times as fast, and a picture has fewer than 2^31 pixels.
        rows, columns = _divide(chosen.astype(np.int32), side)
        return _Sample(
            lr=turn.apply(lr).transpose(2, 0, 1),
            # The asked pixels are taken out of the picture, which is turned by no more than their numbers.
            hr=picture.reshape(-1, 3).take(turn.locate(rows, columns, (top, left), side, picture.shape[1]), axis=0),
            coord=_coordinates(rows, columns, side),
            side=side,
        )


def choose_pixels(sampling: SamplingType, side: int, queries: int, random: np.random.Generator) -> np.ndarray:
    """Positions (row * side + column) of the asked pixels in a square crop."""
    match sampling:
        case SamplingType.Scattered:
            return random.choice(side * side, queries, replace=False, shuffle=False)
        case SamplingType.Window:
            window = math.isqrt(queries)
            top, left = random.integers(side - window + 1, size=2)
            rows, columns = np.arange(top, top + window), np.arange(left, left + window)
            return (rows[:, None] * side + columns).reshape(-1)
        case SamplingType.Crop:
            return np.arange(side * side)


def arrange_pixels(
    sampling: SamplingType, colors: Float[Tensor, 'batch queries 3']
) -> Float[Tensor, 'batch 3 *pixels']:
    """Colors as losses take them: an image if the pixels form one, else a row of pixels."""
    channels_first = colors.transpose(1, 2)
    match sampling:
        case SamplingType.Scattered:
            return channels_first
        case SamplingType.Window | SamplingType.Crop:
            side = math.isqrt(colors.shape[1])
            return channels_first.unflatten(2, (side, side))


def _place(picture: Pixels, side: int, random: np.random.Generator) -> tuple[int, int]:
    """Row and column where a random square begins."""
    return int(random.integers(picture.shape[0] - side + 1)), int(random.integers(picture.shape[1] - side + 1))


def _divide(positions: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of positions in a square."""
    rows = positions // side
    return rows, positions - rows * side


def _coordinates(rows: np.ndarray, columns: np.ndarray, side: int) -> npt.NDArray[np.float32]:
    """Centers of pixels, by the arithmetic of `coordinates.pixel_centers`, without making the whole grid."""
    half = 1 / side
    coord = np.stack([rows, columns], axis=-1, dtype=np.float32, casting='same_kind')
    coord *= np.float32(2 * half)
    coord += np.float32(-1 + half)
    return coord


def _to_colors(pixels: Sequence[Pixels]) -> Float[Tensor, '...']:
    return torch.from_numpy(np.stack(pixels)).float().div_(255)
