import dataclasses
from typing import Literal

import torch

Precision = Literal['float32', 'bfloat16', 'float16']


@dataclasses.dataclass(frozen=True)
class StepSettings:
    """How a step computes and updates. Each is described where a recipe sets it, in `TrainingConfiguration`."""

    accumulate: int = 1
    clip_gradient: float | None = None
    ema_decay: float | None = None
    precision: Precision = 'float32'
    channels_last: bool = False
    compile: bool = False

    @property
    def dtype(self) -> torch.dtype:
        """What `precision` is to torch."""
        return {'float32': torch.float32, 'bfloat16': torch.bfloat16, 'float16': torch.float16}[self.precision]
