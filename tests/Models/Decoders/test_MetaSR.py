from typing import Any

import torch
from torch import Tensor

from Models.Decoders.MetaSR import MetaSR
from Utilities.coordinates import cell_of, coordinates_of, pixel_centers


def test_chunked_query_equals_whole() -> None:
    decoder, context, coord, cell = _decoder_and_query()
    whole = decoder.query(context, coord, cell)
    chunks = decoder.query_in_chunks(context, coord.split(13, dim=1), cell)
    torch.testing.assert_close(torch.cat(list(chunks), dim=1), whole, atol=1e-6, rtol=0)


def test_gradient_reaches_every_parameter() -> None:
    decoder, context, coord, cell = _decoder_and_query()
    decoder.query(context, coord, cell).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in decoder.parameters())


def _decoder_and_query() -> tuple[MetaSR, Any, Tensor, Tensor]:
    torch.manual_seed(0)
    decoder = MetaSR(4)
    context = decoder.prepare(torch.randn(2, 4, 5, 6), torch.randn(2, 3, 5, 6))
    return (
        decoder,
        context,
        coordinates_of(pixel_centers(11), pixel_centers(15)).expand(2, -1, -1),
        cell_of((11, 15), batch=2),
    )
