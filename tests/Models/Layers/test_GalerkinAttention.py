import weakref
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from Models.Decoders.HIIF import HIIFAttention
from Models.Decoders.SRNO import HeadNorm, SRNOAttention
from Models.Layers.GalerkinAttention import GalerkinAttention, attend, attend_in_pieces


def random_tokens(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize('kind', [SRNOAttention, HIIFAttention])
def test_each_query_learns_of_all_others_through_one_mean(kind: type[GalerkinAttention]) -> None:
    """The definition, head by head and query by query: q_i times the mean over j of k_j v_j^T."""
    width, heads, count = 6, 2, 5
    layer = kind(width, heads).double()
    tokens = random_tokens(1, count, width)
    dim = width // heads
    projected = (tokens[0] @ layer.qkv_proj.weight.flatten(1).T + layer.qkv_proj.bias).view(count, heads, 3, dim)
    keys = layer.kln(projected[None, :, :, 1].transpose(1, 2))[0]  # (heads, queries, dim)
    values = layer.vln(projected[None, :, :, 2].transpose(1, 2))[0]
    attended = torch.zeros(count, width, dtype=torch.float64)
    for i in range(count):
        for head in range(heads):
            mean = sum(torch.outer(keys[head, j], values[head, j]) for j in range(count)) / count
            attended[i, head * dim : (head + 1) * dim] = projected[i, head, 0] @ mean
    first, second = layer.mixers
    expected = second(functional.gelu(first(attended[None] + tokens))) + tokens
    torch.testing.assert_close(attend([layer], tokens), expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize('kind', [SRNOAttention, HIIFAttention])
@pytest.mark.parametrize('per_chunk', [1, 7, 100, 250])
def test_chunks_equal_the_whole_through_three_layers(kind: type[GalerkinAttention], per_chunk: int) -> None:
    layers = [kind(8, 2).double() for _ in range(3)]
    tokens = random_tokens(2, 250, 8)
    whole = attend(layers, tokens)
    pieces = list(attend_in_pieces(layers, tokens.split(per_chunk, dim=1), lambda piece: piece))
    torch.testing.assert_close(torch.cat(pieces, dim=1), whole, atol=1e-12, rtol=0)


def passes(chunks: Sequence[Tensor]) -> tuple[int, int]:
    """How often chunks are embedded, and how many embedded chunks are alive at once."""
    made: list[weakref.ref[Tensor]] = []
    most = 0

    def embed(chunk: Tensor) -> Tensor:
        nonlocal most
        tokens = chunk * 1
        made.append(weakref.ref(tokens))
        most = max(most, sum(reference() is not None for reference in made))
        return tokens

    layers = [SRNOAttention(4, 2).double() for _ in range(2)]
    with torch.inference_mode():
        for _ in attend_in_pieces(layers, chunks, embed):
            pass
    return len(made), most


def test_memory_is_that_of_one_chunk_and_a_single_chunk_is_embedded_once() -> None:
    chunks = [random_tokens(1, 3, 4) for _ in range(10)]
    embedded, alive = passes(chunks)
    assert embedded == 3 * len(chunks)  # one pass for each of two layers, one for the answers
    assert alive <= 2
    assert passes(chunks[:1]) == (1, 1)
    assert passes([]) == (0, 0)


def test_head_norm_divides_by_the_unbiased_deviation() -> None:
    """Of (1, 3) it is sqrt(2): (-1, 1) / sqrt(2), then the head's own weight and bias."""
    norm = HeadNorm(2, 2).double()
    with torch.no_grad():
        norm.weight[1] = 10
        norm.bias[1] = 5
    found = norm(torch.tensor([1.0, 3.0], dtype=torch.float64).expand(1, 2, 1, 2))
    half = 0.5**0.5
    expected = torch.tensor([[[[-half, half]], [[5 - 10 * half, 5 + 10 * half]]]], dtype=torch.float64)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


def test_heads_that_do_not_divide_the_width_are_refused() -> None:
    with pytest.raises(ValueError, match='width must be a multiple of heads, both at least 1, got 10 and 4'):
        HIIFAttention(10, 4)
    with pytest.raises(ValueError, match='width must be at least 2 channels for each of the 4 heads, got 4'):
        SRNOAttention(4, 4)
