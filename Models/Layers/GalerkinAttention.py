"""Galerkin attention: attention without softmax, whose cost is linear in the number of queries.

Paper: Cao, NeurIPS 2021, https://arxiv.org/abs/2105.14995; as SRNO (Wei, Zhang, CVPR 2023,
https://arxiv.org/abs/2303.02584) and HIIF (Jiang et al., CVPR 2025, https://arxiv.org/abs/2412.03748) use it.

All that one query learns of the others is the mean over all queries of the outer product of key and value. So a picture
may be asked for in pieces, given first one pass over the pieces per layer for that mean.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


class GalerkinAttention(nn.Module, ABC):
    """Attention with normalized keys and values, two layers behind it, and two residual connections.

    A network's own subclass makes the modules, under the published names.

    Args:
        width: channels of a token.
        heads: parts of the channels that attend separately.

    Raises:
        ValueError: if the heads do not divide the width.
    """

    qkv_proj: nn.Linear | nn.Conv2d
    """Width to 3 * width, ordered (head, query | key | value, channel)."""

    kln: nn.Module
    vln: nn.Module
    """Norms of a head's keys and values over its channels, (batch, heads, queries, channels)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if heads < 1 or width < 1 or width % heads:
            raise ValueError(f'width must be a multiple of heads, both at least 1, got {width} and {heads}.')
        self.heads = heads

    @abstractmethod
    def mix(self, tokens: Float[Tensor, 'batch queries width']) -> Float[Tensor, 'batch queries width']:
        """The two layers behind the attention."""

    def key_value_sum(self, tokens: Float[Tensor, 'batch queries width']) -> Float[Tensor, 'batch heads dim dim']:
        """Sum over the queries of key times value, for each head."""
        keys, values = self._project(tokens, first=1, last=2)
        return self.kln(keys).transpose(-1, -2) @ self.vln(values)

    def forward(
        self, tokens: Float[Tensor, 'batch queries width'], key_value_mean: Float[Tensor, 'batch heads dim dim']
    ) -> Float[Tensor, 'batch queries width']:
        """Tokens of any part of the queries, given the mean over all of them."""
        (queries,) = self._project(tokens, first=0, last=0)
        attended = (queries @ key_value_mean).transpose(1, 2).flatten(2)
        return self.mix(attended + tokens) + tokens

    def _project(
        self, tokens: Float[Tensor, 'batch queries width'], *, first: int, last: int
    ) -> Float[Tensor, 'kinds batch heads queries dim']:
        """Some of query (0), key (1) and value (2), which are wanted at different times."""
        assert self.qkv_proj.bias is not None
        wanted = slice(first, last + 1)
        weight = self.qkv_proj.weight.flatten(1).unflatten(0, (self.heads, 3, -1))[:, wanted].flatten(0, 2)
        bias = self.qkv_proj.bias.unflatten(0, (self.heads, 3, -1))[:, wanted].flatten()
        projected = functional.linear(tokens, weight, bias)
        return projected.unflatten(-1, (self.heads, last + 1 - first, -1)).permute(3, 0, 2, 1, 4)


def attend(
    layers: Sequence[GalerkinAttention], tokens: Float[Tensor, 'batch queries width']
) -> Float[Tensor, 'batch queries width']:
    """The layers one after the other, on all queries at once."""
    for layer in layers:
        tokens = layer(tokens, layer.key_value_sum(tokens) / tokens.shape[1])
    return tokens


def attend_in_chunks(
    layers: Sequence[GalerkinAttention],
    chunks: Iterable[Any],
    embed: Callable[[Any], Float[Tensor, 'batch _ width']],
) -> Iterator[Float[Tensor, 'batch _ width']]:
    """What `attend` gives for all queries, piece by piece, in the memory of one piece.

    Goes through the pieces once per layer and once more for the answers, and computes tokens anew each time; a single
    piece is computed once.

    Args:
        layers: in order.
        chunks: what `embed` takes, in pieces; can be gone through repeatedly, and gives the same each time.
        embed: tokens of a piece before the first layer.
    """
    if len(list(islice(chunks, 2))) == 1:
        for chunk in chunks:
            yield attend(layers, embed(chunk))
        return

    means: list[Tensor] = []
    for layer in layers:
        total, count = None, 0
        for chunk in chunks:
            tokens = _apply(layers, means, embed(chunk))
            part = layer.key_value_sum(tokens)
            total = part if total is None else total + part
            count += tokens.shape[1]
        if total is None:
            return
        means.append(total / count)
    for chunk in chunks:
        yield _apply(layers, means, embed(chunk))


def _apply(layers: Sequence[GalerkinAttention], means: Sequence[Tensor], tokens: Tensor) -> Tensor:
    """As many layers as there are means."""
    for layer, mean in zip(layers, means, strict=False):
        tokens = layer(tokens, mean)
    return tokens
