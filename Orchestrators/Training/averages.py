"""Averages over a run."""

import torch
from torch import Tensor


class RunningMean:
    """Mean of scalars, weighted by their counts. Adding does not wait for the device; reading does."""

    def __init__(self) -> None:
        self._total: Tensor = torch.zeros((), dtype=torch.float64)
        self._count = 0

    def add(self, value: Tensor | float, count: int = 1) -> None:
        """Add a mean over `count` things."""
        if isinstance(value, Tensor):
            value = value.detach().double()
            self._total = self._total.to(value.device)
        self._total = self._total + value * count
        self._count += count

    def read(self) -> float:
        """The mean so far; NaN if nothing was added."""
        return float(self._total) / self._count if self._count else float('nan')

    def state_dict(self) -> dict[str, float | int]:
        """Plain values for a checkpoint."""
        return {'total': float(self._total), 'count': self._count}

    def load_state_dict(self, state: dict[str, float | int]) -> None:
        """The inverse of `state_dict`."""
        self._total = torch.tensor(state['total'], dtype=torch.float64)
        self._count = int(state['count'])
