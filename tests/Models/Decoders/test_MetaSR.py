import json
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from Models.Decoders.MetaSR import MetaSR
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


@pytest.mark.parametrize('name', ['metasr', 'fullsize_edsr_baseline_metasr'])
def test_outputs_equal_the_official_ones(name: str) -> None:
    reference = _reference(name)
    encoder = EDSR(2, 4) if name == 'metasr' else EDSR()
    model = SuperResolver(encoder, MetaSR(encoder.feature_dim))
    _load_official_weights(model, reference)
    lr, coord, cell = (reference[f'input/{argument}'] for argument in ('inp', 'coord', 'cell'))
    with torch.no_grad():
        rgb = model.decoder.query(model.decoder.prepare(model.encoder(lr), lr), coord, cell[:, 0])
    tolerance = reference['meta']['suggested_atol']['output/rgb']
    torch.testing.assert_close(rgb, reference['output/rgb'], atol=tolerance, rtol=0)


def test_parameter_count_is_the_published_one() -> None:
    assert sum(parameter.numel() for parameter in MetaSR(64).parameters()) == 1_665_560 - 1_220_416 - 24  # mean shift


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
