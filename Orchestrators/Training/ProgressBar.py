"""The one bar of a training run."""

import math
import time
from types import TracebackType

from torch import Tensor
from tqdm import tqdm

_SECONDS_BETWEEN_READOUTS = 0.5


class ProgressBar:
    """Samples learned from, loss, PSNR, samples/s and time left; silent where there is no terminal.

    Args:
        total: samples of the whole run.
        done: samples learned from before this start.
        silent: show nothing, as another process does.
    """

    def __init__(self, total: int, done: int, *, silent: bool = False) -> None:
        self._bar = tqdm(
            total=total,
            initial=done,
            unit=' samples',
            unit_scale=True,
            disable=True if silent else None,
            smoothing=0.05,
            dynamic_ncols=True,
        )
        self._last_readout = 0.0

    def __enter__(self) -> 'ProgressBar':
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.close()

    def advance(self, samples: int, epoch: str, loss: Tensor, mse: Tensor | None) -> None:
        """Count a batch; `epoch` is shown as it is. No `mse`: no PSNR is shown."""
        self._bar.update(samples)
        # Reading a number waits for the device, so only as often as an eye can follow.
        if self._bar.disable or time.monotonic() - self._last_readout < _SECONDS_BETWEEN_READOUTS:
            return
        self._last_readout = time.monotonic()
        self._bar.set_description(epoch, refresh=False)
        psnr = '' if mse is None else f', PSNR {decibels_of(mse.item()):.1f} dB'
        self._bar.set_postfix_str(f'loss {loss.item():.4f}{psnr}')


def decibels_of(mse: float) -> float:
    """PSNR in dB of a mean squared difference of colors in [0, 1]."""
    return -10 * math.log10(mse) if mse > 0 else math.inf
