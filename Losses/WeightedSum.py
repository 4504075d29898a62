"""The training objective: a weighted sum of losses, with each term named for the log."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from Losses.Loss import Loss


class WeightedSum(nn.Module):
    """Adds up losses.

    Args:
        terms: (name, loss, weight) of each term.

    Raises:
        ValueError: if two terms have one name.
    """

    def __init__(self, terms: Sequence[tuple[str, Loss, float]]) -> None:
        super().__init__()
        names = [name for name, _, _ in terms]
        if len(set(names)) < len(names):
            raise ValueError(f'Each loss may stand in `losses` once, got {", ".join(names)}.')
        self.losses = nn.ModuleDict({name: loss for name, loss, _ in terms})
        self.weights = {name: weight for name, _, weight in terms}

    def forward(
        self, sr: Float[Tensor, '*shape'], hr: Float[Tensor, '*shape']
    ) -> tuple[Float[Tensor, ''], dict[str, Tensor]]:
        """The total, and each term before its weight, detached."""
        parts = {name: loss(sr, hr) for name, loss in self.losses.items()}
        total = sum((self.weights[name] * part for name, part in parts.items()), sr.new_zeros(()))
        return total, {name: part.detach() for name, part in parts.items()}
