from typing import Any

import pytest
import torch

from Models.Decoders.LTE import LTE
from tests.decoding import colors_of
from Utilities.coordinates import cell_of, coordinates_of, pixel_centers


def test_lte_plus_is_lte_with_its_weights_in_another_order(random: torch.Generator) -> None:
    original, plus = (LTE(4, 16, (12, 10), plus=plus) for plus in (False, True))
    state = {}
    for key, value in original.state_dict().items():
        reordered = torch.cat([value[0::2], value[1::2]]) if key.startswith('freq') else value
        name = key.replace('imnet.layers', 'layers')
        state[name] = reordered.reshape(plus.state_dict()[name].shape)
    plus.load_state_dict(state)
    features, lr = (torch.randn(2, dim, 5, 6, generator=random) for dim in (4, 3))
    asked = coordinates_of(pixel_centers(11), pixel_centers(15)).expand(2, -1, -1), cell_of((11, 15), batch=2)
    found, expected = (colors_of(decoder, features, lr, *asked) for decoder in (plus, original))
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize('options', [{'hidden_dim': 15}, {'hidden_dim': 0}, {'cell_scale_max': 0.0}])
def test_impossible_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        LTE(4, **options)
