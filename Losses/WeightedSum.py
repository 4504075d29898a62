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
        self.needs_own = any(loss.is_own for _, loss, _ in terms)
        """Whether the decoder's own loss is one of the terms."""
        self.needs_colors = not all(loss.is_own for _, loss, _ in terms)
        """Whether it is not the only one."""

    def forward(
        self,
        sr: Float[Tensor, '*shape'] | None,
        hr: Float[Tensor, '*shape'],
        own: Float[Tensor, ''] | None = None,
    ) -> tuple[Float[Tensor, ''], dict[str, Tensor]]:
        """The total, and each term before its weight, detached.

        Args:
            sr, hr: predicted and true colors; the first may be missing where no term compares them.
            own: the decoder's own loss, where it is a term.
        """
        parts: dict[str, Tensor] = {}
        for name, loss in self.losses.items():
            value = own if loss.is_own else loss(sr, hr)
            assert value is not None, 'the network was not asked for its own loss'
            parts[name] = value
        total = sum((self.weights[name] * part for name, part in parts.items()), hr.new_zeros(()))
        return total, {name: part.detach() for name, part in parts.items()}
