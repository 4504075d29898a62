from collections.abc import Sequence
from typing import cast

from jaxtyping import Float
from torch import Tensor, nn


class MLP(nn.Module):
    """Linear layers, activations between them and none after the last; `layers.0`, `layers.2`, ... in a state_dict."""

    def __init__(self, dim_in: int, hidden: Sequence[int], dim_out: int, activation: type[nn.Module] = nn.ReLU) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for width_in, width_out in zip([dim_in, *hidden], hidden, strict=False):
            layers += [nn.Linear(width_in, width_out), activation()]
        layers.append(nn.Linear(hidden[-1] if hidden else dim_in, dim_out))
        self.layers = nn.Sequential(*layers)

    @property
    def first(self) -> nn.Linear:
        """The first layer, for decoders that compute its share of the features ahead."""
        return cast(nn.Linear, self.layers[0])

    def forward(self, inputs: Float[Tensor, '*batch dim_in']) -> Float[Tensor, '*batch dim_out']:
        return self.layers(inputs)
