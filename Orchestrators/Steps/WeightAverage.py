import copy
import itertools

import torch
from torch import Tensor, nn


class WeightAverage:
    """An exponential moving average of a network's weights and buffers, as a network of its own.

    It begins as the network is. Buffers that count, which have no mean, are copied.

    Args:
        network: what learns.
        decay: share that the average keeps of itself at each update.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
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


def _tensors(network: nn.Module) -> list[Tensor]:
    return [tensor.detach() for tensor in itertools.chain(network.parameters(), network.buffers())]
