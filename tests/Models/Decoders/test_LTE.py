from typing import Any

import pytest
import torch
from torch import Tensor

from Models.Decoders.LTE import LTE
from Utilities.coordinates import cell_of, coordinates_of, pixel_centers


def test_lte_plus_is_lte_with_its_weights_in_another_order() -> None:
    original, context, coord, cell = _decoder_and_query()
    plus = LTE(4, 16, (12, 10), plus=True)
    state = {}
    for key, value in original.state_dict().items():
        reordered = torch.cat([value[0::2], value[1::2]]) if key.startswith('freq') else value
        name = key.replace('imnet.layers', 'layers')
        state[name] = reordered.reshape(plus.state_dict()[name].shape)
    plus.load_state_dict(state)
    features, lr = _features()
    torch.testing.assert_close(
        plus.query(plus.prepare(features, lr), coord, cell), original.query(context, coord, cell), atol=1e-6, rtol=0
    )


@pytest.mark.parametrize('plus', [False, True])
def test_chunked_query_equals_whole(plus: bool) -> None:
    decoder, context, coord, cell = _decoder_and_query(plus)
    whole = decoder.query(context, coord, cell)
    chunks = decoder.query_in_chunks(context, coord.split(13, dim=1), cell)
    torch.testing.assert_close(torch.cat(list(chunks), dim=1), whole, atol=1e-6, rtol=0)


@pytest.mark.parametrize('plus', [False, True])
def test_gradient_reaches_every_parameter(plus: bool) -> None:
    decoder, context, coord, cell = _decoder_and_query(plus)
    decoder.query(context, coord, cell).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in decoder.parameters())


@pytest.mark.parametrize('options', [{'hidden_dim': 15}, {'hidden_dim': 0}, {'cell_scale_max': 0.0}])
def test_impossible_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        LTE(4, **options)


def _features() -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(1)
    return torch.randn(2, 4, 5, 6, generator=random), torch.randn(2, 3, 5, 6, generator=random)


def _decoder_and_query(plus: bool = False) -> tuple[LTE, Any, Tensor, Tensor]:
    torch.manual_seed(0)
    decoder = LTE(4, 16, (12, 10), plus=plus)
    coord = coordinates_of(pixel_centers(11), pixel_centers(15)).expand(2, -1, -1)
    return decoder, decoder.prepare(*_features()), coord, cell_of((11, 15), batch=2)
