"""What is asked for of each image while training, and how the answers are compared."""

import math
from typing import Annotated, Any

from Configuration.FrozenConfiguration import Count, FrozenConfiguration, Options, Range, Value
from Configuration.settings.NetworkSettings import ModelConfiguration
from Models.LossType import LossType
from Models.SamplingType import SamplingType


class LossTerm(Value):
    """One term of the training loss."""

    loss: LossType
    """The class of the same name in `Losses/`."""

    weight: Annotated[float, Range(0)] = 1.0
    """Factor before the term."""

    options: Options = Options()
    """Arguments of the loss's class, such as `{'layers': ('relu3_1',)}` for `GramVGG`. Empty: its defaults."""

    def to_dict(self) -> dict[str, Any]:
        """The settings as JSON has them; of one kind only, so without its name."""
        return FrozenConfiguration.to_dict(self)

    def __str__(self) -> str:
        return self.loss.name if self.weight == 1 else f'{self.weight:g} x {self.loss.name}'


class SamplingSettings(ModelConfiguration):
    """What is asked for of each image, and how the answers are compared."""

    queries: Count | None = None
    """HR pixels asked for per sample. None: `input_patch` squared, as LIIF trains. A square number for
    `SamplingType.Window`; None for `SamplingType.Crop`, which asks for all."""

    sampling: SamplingType = SamplingType.Scattered
    """Which HR pixels are asked for. Scattered, as LIIF trains; losses that compare neighbors need another one."""

    augment: bool = True
    """Random flips and transpositions."""

    repeat: Count = 40
    """How often each picture is cropped per epoch. 40: the study's 1000 steps per epoch on DIV2K."""

    losses: tuple[LossTerm, ...] | None = None
    """Terms of the loss, added up. `LossType.Own`, for decoders that have one, is a term like any other.
    None: those that the decoder was published with, which is L1 for all but LINF, which has its likelihood."""

    def check(self) -> None:
        """Refuse losses that say nothing, and a number of pixels that the sampling can't give."""
        super().check()
        if self.losses is not None and not any(term.weight for term in self.losses):
            raise ValueError(f'losses must hold at least one term with a weight above 0, got {self.losses}.')
        if self.queries is not None:
            self._check_queries(self.queries)

    def _check_queries(self, queries: int) -> None:
        hr_pixels = round(self.input_patch * self.scale_range[0]) ** 2
        if queries > hr_pixels:
            raise ValueError(
                f'queries must be at most {hr_pixels}, the HR pixels of a patch of {self.input_patch} '
                f'at scale {self.scale_range[0]:g}, got {queries}.'
            )
        if self.sampling is SamplingType.Crop:
            raise ValueError(
                f'queries has no effect with SamplingType.Crop, which asks for every pixel: leave it None, '
                f'got {queries}.'
            )
        side = math.isqrt(queries)
        if self.sampling is SamplingType.Window and side**2 != queries:
            raise ValueError(
                f'queries must be a square number for SamplingType.Window, such as {side**2} or {(side + 1) ** 2}, '
                f'got {queries}.'
            )
