from typing import Any

import pytest
import torch
from torch import Tensor

from Models import DecoderType, EncoderType
from Models.build import build_super_resolver
from Models.Decoders.HIIF import HIIF, binary_digits, place_in_pixel
from Models.Decoders.local_ensemble import find_neighbors


def random_case(dtype: torch.dtype) -> tuple[HIIF, Any, Tensor, Tensor]:
    random = torch.Generator().manual_seed(0)
    decoder = HIIF(5, width=8, heads=2).to(dtype)
    features, lr = (torch.randn(2, dim, 6, 7, generator=random, dtype=dtype) for dim in (5, 3))
    coord = torch.rand(2, 250, 2, generator=random, dtype=dtype) * 2 - 1
    cell = torch.rand(2, 2, generator=random, dtype=dtype)
    return decoder, decoder.prepare(features, lr), coord, cell


@pytest.mark.parametrize(('dtype', 'tolerance'), [(torch.float64, 1e-12), (torch.float32, 2e-6)])
def test_chunked_query_equals_whole(dtype: torch.dtype, tolerance: float) -> None:
    decoder, context, coord, cell = random_case(dtype)
    whole = decoder.query(context, coord, cell)
    assert whole.dtype is dtype
    for per_chunk in (1, 7, 100, 250):
        chunks = coord.split(per_chunk, dim=1)
        pieces = list(decoder.query_in_chunks(context, chunks, cell))
        assert [piece.shape[1] for piece in pieces] == [chunk.shape[1] for chunk in chunks]
        torch.testing.assert_close(torch.cat(pieces, dim=1), whole, atol=tolerance, rtol=0)
    # What a chunk answers alone is another matter, so the above is no accident.
    alone = torch.cat([decoder.query(context, chunk, cell) for chunk in coord.split(7, dim=1)], dim=1)
    assert (alone - whole).abs().max() > 1e-4


@pytest.mark.parametrize('size', [(24, 28), (17, 33), (5, 7), (3, 40)])
def test_chunked_upscaling_equals_whole(size: tuple[int, int]) -> None:
    """Integer, fractional and anisotropic scales, and sizes smaller than the input."""
    options = {'width': 8, 'heads': 2}
    model = build_super_resolver(EncoderType.EDSR, DecoderType.HIIF, {'n_resblocks': 1, 'n_feats': 8}, options)
    lr = torch.rand(2, 3, 6, 7, generator=torch.Generator().manual_seed(0))
    whole = model.upscale(lr, size, queries_per_chunk=10**6)
    assert whole.shape == (2, 3, *size)
    for per_chunk in (7, size[1], 100):
        torch.testing.assert_close(model.upscale(lr, size, queries_per_chunk=per_chunk), whole, atol=2e-6, rtol=0)


def test_each_image_of_a_batch_answers_for_itself() -> None:
    decoder, context, coord, cell = random_case(torch.float64)
    together = decoder.query(context, coord, cell)
    second = context._replace(features=context.features[1:], lr=context.lr[1:])
    torch.testing.assert_close(decoder.query(second, coord[1:], cell[1:]), together[1:], atol=1e-12, rtol=0)


def test_gradient_reaches_every_parameter() -> None:
    random = torch.Generator().manual_seed(0)
    decoder = HIIF(5, width=8, heads=2)
    features, lr = (torch.randn(1, dim, 6, 7, generator=random, requires_grad=True) for dim in (5, 3))
    coord = torch.rand(1, 100, 2, generator=random) * 2 - 1
    answers = decoder.query(decoder.prepare(features, lr), coord, torch.full((1, 2), 0.1))
    answers.square().sum().backward()
    for name, parameter in [('features', features), ('lr', lr), *decoder.named_parameters()]:
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


def test_the_place_is_told_bit_by_bit() -> None:
    """0.7 is 0.101100... in binary, 0.3 is 0.010011..."""
    place = torch.tensor([[[0.7, 0.3]]])
    digits = torch.stack([binary_digits(place, level)[0, 0] for level in range(6)])
    assert digits.T.tolist() == [[1, 0, 1, 1, 0, 0], [0, 1, 0, 0, 1, 1]]


def test_the_place_is_the_offset_from_the_upper_left_neighbor_or_the_published_oddity() -> None:
    """In the middle of a 4x5 image it is 0 to 1 between centres; above the first row's centre 1/4 minus the offset."""
    size = (4, 5)
    centers = torch.tensor([[-0.75, 0.0]], dtype=torch.float64)  # row 0, column 2
    inside = centers + torch.tensor([[0.3 * 2 / 4, 0.6 * 2 / 5]])
    above = centers + torch.tensor([[-0.2 * 2 / 4, 0.6 * 2 / 5]])
    place = place_in_pixel(find_neighbors(torch.stack([inside, above]), size, local_ensemble=True), size)
    expected = torch.tensor([[[0.3, 0.6]], [[1 / 4 + 0.2, 0.6]]], dtype=torch.float64)
    torch.testing.assert_close(place, expected, atol=1e-7, rtol=0)


def test_heads_that_do_not_divide_the_width_are_refused() -> None:
    with pytest.raises(ValueError, match='width must be a multiple of heads, both at least 1, got 256 and 7'):
        HIIF(64, heads=7)
