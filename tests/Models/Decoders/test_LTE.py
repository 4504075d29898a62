import json
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from Models.Decoders.LTE import LTE
from Models.Encoders.EDSR import EDSR
from Models.SuperResolver import SuperResolver
from Utilities.coordinates import cell_of, coordinates_of, pixel_centers

REFERENCES = Path(__file__).parents[2] / 'references'


def _reference(name: str) -> dict[str, Any]:
    stored = np.load(REFERENCES / f'{name}.npz', allow_pickle=False)
    return {key: json.loads(str(stored[key])) if key == 'meta' else torch.from_numpy(stored[key]) for key in stored}


def _load_official_weights(model: SuperResolver, reference: dict[str, Any]) -> None:
    """Those in the file, or those of its recipe; but for the keys of EDSR's mean shift, which is never applied."""
    state = {key.removeprefix('state/'): value for key, value in reference.items() if key.startswith('state/')}
    if not state:
        state = {
            key.removeprefix('decoder.'): _from_recipe(key.removeprefix('decoder.'), value.shape, reference['meta'])
            for key, value in model.state_dict().items()
        }
    model.load_state_dict(
        {
            key if key.startswith('encoder.') else f'decoder.{key}': value
            for key, value in state.items()
            if '_mean' not in key
        }
    )


def _from_recipe(key: str, shape: torch.Size, meta: dict[str, Any]) -> Tensor:
    recipe = meta['weights']
    normal = np.random.RandomState(zlib.crc32(f'{recipe["seed"]}:{key}'.encode())).standard_normal(shape)
    if key.endswith('._weight'):
        values = np.eye(shape[0]) + 0.15 * normal
    else:
        values = recipe['gain'] * normal / np.prod(shape[1:]) ** 0.5 if key.endswith('weight') else 0.05 * normal
    for pattern, factor in recipe['overrides']:
        values = values * factor if re.search(pattern, key) else values
    return torch.from_numpy(values).float()


CASES = {
    'lte': (EDSR(2, 8), LTE(8, 32, (32, 32))),
    'lte_plus': (EDSR(2, 8), LTE(8, 32, (32, 32), plus=True)),
    'fullsize_edsr_baseline_lte': (EDSR(), LTE(64)),
    'fullsize_edsr_baseline_lte_plus': (EDSR(), LTE(64, plus=True)),
}


@pytest.mark.parametrize('name', CASES)
def test_outputs_equal_the_official_ones(name: str) -> None:
    reference = _reference(name)
    model = SuperResolver(*CASES[name])
    _load_official_weights(model, reference)
    lr, coord, cell, expected = (reference[key] for key in ('input/inp', 'input/coord', 'input/cell', 'output/rgb'))
    if model.decoder.plus:  # official LTE+ takes and gives pictures
        coord, expected = coord.flatten(1, 2), expected.flatten(2).transpose(1, 2)
    else:
        cell = cell[:, 0]
    with torch.no_grad():
        rgb = model.decoder.query(model.decoder.prepare(model.encoder(lr), lr), coord, cell)
    torch.testing.assert_close(rgb, expected, atol=reference['meta']['suggested_atol']['output/rgb'], rtol=0)


@pytest.mark.parametrize(('name', 'size'), [('lte', (24, 27)), ('lte_plus', (48, 54))], ids=['x3', 'x6'])
def test_whole_pictures_equal_the_official_evaluation(name: str, size: tuple[int, int]) -> None:
    """At x6 the official script shows the network the cell of x4."""
    reference = _reference(name)
    model = SuperResolver(*CASES[name])
    _load_official_weights(model, reference)
    tolerance = reference['meta']['suggested_atol']['output2/pred']
    picture = model.upscale(reference['input2/inp'], size)
    torch.testing.assert_close(picture, reference['output2/pred'], atol=tolerance, rtol=0)


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


def test_parameter_count_is_the_published_one() -> None:
    for plus in (False, True):
        assert sum(parameter.numel() for parameter in LTE(64, plus=plus).parameters()) == 493_827


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
