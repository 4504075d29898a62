"""Galerkin attention: attention without softmax, whose cost is linear in the number of queries.

Paper: Cao, NeurIPS 2021, https://arxiv.org/abs/2105.14995; as SRNO (Wei, Zhang, CVPR 2023,
https://arxiv.org/abs/2303.02584) and HIIF (Jiang et al., CVPR 2025, https://arxiv.org/abs/2412.03748) use it.

All that one query learns of the others is the mean over all queries of the outer product of key and value. So a picture
may be asked for in pieces, given first one pass over the pieces per layer for that mean.

The means of the norms and, given the mean over the queries, the attention itself are linear, so they are multiplied
into the weights around them; the numbers are the same up to rounding.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

Piece = TypeVar('Piece')


class Layer(NamedTuple):
    """A linear layer that others are multiplied into."""

    weight: Float[Tensor, '*batch outputs inputs']
    bias: Float[Tensor, '*batch outputs']


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
    """Norms of a head's keys and values over its channels; their `weight` and `bias` are for each channel, or each head
    and channel."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if heads < 1 or width < 1 or width % heads:
            raise ValueError(f'width must be a multiple of heads, both at least 1, got {width} and {heads}.')
        self.heads = heads

    @property
    @abstractmethod
    def mixers(self) -> tuple[nn.Linear | nn.Conv2d, nn.Linear | nn.Conv2d]:
        """The two layers behind the attention, for vectors in the last axis."""

    @abstractmethod
    def inverse_deviation(
        self, centered: Float[Tensor, 'batch queries heads dim']
    ) -> Float[Tensor, 'batch queries heads 1']:
        """What the norms multiply a head's channels with, once their mean is taken off and before their own weights."""

    def key_value_layer(self) -> Layer:
        """From tokens to keys and values without their means; made once for all queries."""
        weight, bias = (part[:, 1:] for part in self._projection())
        # A head's mean is linear in the tokens, so it is taken off the weights instead.
        weight, bias = (part - part.mean(dim=2, keepdim=True) for part in (weight, bias))
        return Layer(weight.transpose(0, 1).flatten(0, 2), bias.transpose(0, 1).flatten())

    def key_value_sum(
        self, tokens: Float[Tensor, 'batch queries width'], layer: Layer
    ) -> Float[Tensor, 'batch heads dim dim']:
        """Sum over the queries of key times value, for each head, both normalized.

        Args:
            tokens: of any part of the queries.
            layer: `key_value_layer`.
        """
        centered = functional.linear(tokens, layer.weight, layer.bias).unflatten(-1, (2, self.heads, -1))
        keys, values = (part * self.inverse_deviation(part) for part in centered.unbind(dim=2))
        # The norms' own weights and biases are applied to the sums.
        products = torch.einsum('bqhc,bqhd->bhcd', keys, values)
        (key_weight, key_bias), (value_weight, value_bias) = (
            _parameters(norm, keys.shape[3]) for norm in (self.kln, self.vln)
        )
        key_sum = keys.sum(dim=1) * key_weight
        value_sum = values.sum(dim=1) * value_weight + value_bias * tokens.shape[1]
        return (
            products * (key_weight[:, :, None] * value_weight[:, None])
            + key_sum[..., None] * value_bias[:, None]
            + key_bias[:, :, None] * value_sum[:, :, None]
        )

    def attention_layer(self, key_value_mean: Float[Tensor, 'batch heads dim dim']) -> Layer:
        """The attention and the first mixer, given the mean over all queries; made once for all of them."""
        weight, bias = (part[:, 0] for part in self._projection())
        # Given the mean, all from the tokens to the first mixer is linear, and the same for all queries: one layer.
        attended = torch.einsum('bhcd,hcw->bhdw', key_value_mean, weight).flatten(1, 2)
        attended_bias = torch.einsum('bhcd,hc->bhd', key_value_mean, bias).flatten(1)
        first = self.mixers[0]
        assert first.bias is not None
        mixer = first.weight.flatten(1)
        combined = mixer @ (attended + torch.eye(mixer.shape[0], device=mixer.device, dtype=mixer.dtype))
        return Layer(combined, functional.linear(attended_bias, mixer, first.bias))

    def forward(
        self, tokens: Float[Tensor, 'batch queries width'], layer: Layer
    ) -> Float[Tensor, 'batch queries width']:
        """Tokens of any part of the queries, given their `attention_layer`."""
        hidden = torch.baddbmm(layer.bias[:, None], tokens, layer.weight.transpose(1, 2))
        return self.mixers[1](functional.gelu(hidden)) + tokens

    def _projection(self) -> tuple[Float[Tensor, 'heads 3 dim width'], Float[Tensor, 'heads 3 dim']]:
        """Weight and bias of query (0), key (1) and value (2)."""
        assert self.qkv_proj.bias is not None
        shape = (self.heads, 3, -1)
        return self.qkv_proj.weight.flatten(1).unflatten(0, shape), self.qkv_proj.bias.unflatten(0, shape)


def _parameters(norm: nn.Module, dim: int) -> tuple[Float[Tensor, 'heads dim'], Float[Tensor, 'heads dim']]:
    """Weight and bias of a norm, by head; one row where all heads share them."""
    assert isinstance(norm.weight, Tensor)
    assert isinstance(norm.bias, Tensor)
    return norm.weight.view(-1, dim), norm.bias.view(-1, dim)


def attend(
    layers: Sequence[GalerkinAttention], tokens: Float[Tensor, 'batch queries width']
) -> Float[Tensor, 'batch queries width']:
    """The layers one after the other, on all queries at once."""
    for layer in layers:
        mean = layer.key_value_sum(tokens, layer.key_value_layer()) / tokens.shape[1]
        tokens = layer(tokens, layer.attention_layer(mean))
    return tokens


def attend_in_pieces(
    layers: Sequence[GalerkinAttention],
    pieces: Sequence[Piece],
    embed: Callable[[Piece], Float[Tensor, 'batch _ width']],
) -> Iterator[Float[Tensor, 'batch _ width']]:
    """What `attend` gives for all queries, piece by piece, in the memory of one piece.

    Goes through the pieces once per layer and once more for the answers, and computes tokens anew each time; a single
    piece is computed once.

    Args:
        layers: in order.
        pieces: what `embed` takes.
        embed: tokens of a piece before the first layer.
    """
    if len(pieces) == 1:
        yield attend(layers, embed(pieces[0]))
        return

    attention: list[Layer] = []
    for layer in layers:
        total, count = None, 0
        key_value_layer = layer.key_value_layer()
        for piece in pieces:
            tokens = _apply(layers, attention, embed(piece))
            part = layer.key_value_sum(tokens, key_value_layer)
            total = part if total is None else total + part
            count += tokens.shape[1]
        if total is None:
            return
        attention.append(layer.attention_layer(total / count))
    for piece in pieces:
        yield _apply(layers, attention, embed(piece))


def _apply(layers: Sequence[GalerkinAttention], attention: Sequence[Layer], tokens: Tensor) -> Tensor:
    """As many layers as there are ones whose mean is known."""
    for layer, known in zip(layers, attention, strict=False):
        tokens = layer(tokens, known)
    return tokens
