"""Terms of the training loss, as values: `losses = (LossTerm(LossType.PixelL1), LossTerm(LossType.GramRGB, 0.5))`."""

from typing import Annotated, Any

from Configuration.FrozenConfiguration import FrozenConfiguration, Options, Range, Value
from Models.LossType import LossType


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
