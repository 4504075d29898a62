"""The loss that a decoder brings with it, such as the likelihood of the true colors, or a total variation."""

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from Losses.Loss import Loss


class Own(Loss):
    """Hands on what the network has computed in `Decoder.own_loss`; its place is in a `WeightedSum`."""

    is_own: ClassVar[bool] = True

    def forward(self, sr: Float[Tensor, '*shape'], hr: Float[Tensor, '*shape']) -> Float[Tensor, '']:
        raise TypeError('The decoder computes its own loss itself; give it to WeightedSum.')
