import copy
import itertools
from typing import Any

import torch
from torch import Tensor, nn

from Models.SuperResolver import SuperResolver


class WeightAverage:
    """An exponential moving average of a network's weights and buffers, as a network of its own.

    It begins as the network is. Buffers that count, which have no mean, are copied.

    Args:
        network: what learns.
        decay: share that the average keeps of itself at each update.
    """

    def __init__(self, network: SuperResolver, decay: float) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False)
        self._decay = decay
        self._learning, self._averages = _tensors(network), _tensors(self.network)

    @torch.no_grad()
    def update(self) -> None:
        """After each update of the weights."""
        pairs = list(zip(self._averages, self._learning, strict=True))
        smooth = [(average, value) for average, value in pairs if average.is_floating_point()]
        averages, values = zip(*smooth, strict=True)
        torch._foreach_lerp_(averages, values, 1 - self._decay)
        for average, value in pairs:
            if not average.is_floating_point():
                average.copy_(value)

    def state_dict(self) -> dict[str, Any]:
        """The averages, under the network's names."""
        return self.network.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self.network.load_state_dict(state)


def _tensors(network: nn.Module) -> list[Tensor]:
    return [tensor.detach() for tensor in itertools.chain(network.parameters(), network.buffers())]
