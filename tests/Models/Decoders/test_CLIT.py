import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from Models.Decoders.CLIT import CLIT
from tests.decoding import colors_of
from tests.readers.published_networks import subject_of
from tests.reference_files import Reference

TINY = {'base_dim': 8, 'head': 2, 'r': 1, 'hidden': (16,), 'enc_dims': 8}

State = dict[str, Tensor]


def plain_stage(state: State, features: Tensor, coord: Tensor, cell: Tensor, heads: int, kind: str | None) -> Tensor:
    """One stage's share as published, pixel by pixel, from official weights: features (B, C, h, w) -> (B, Q, 3)."""
    size = features.new_tensor(features.shape[2:])

    def conv(name: str, image: Tensor) -> Tensor:
        return torch.conv2d(image, state[f'{name}.weight'], state[f'{name}.bias'], padding=1)

    def linear(name: str, values: Tensor) -> Tensor:
        return values @ state[f'{name}.weight'].T + state[f'{name}.bias']

    def look_up(name: str, places: Tensor, mode: str) -> Tensor:  # (B, Q, W, 2) -> (B, Q, W, heads, C / heads)
        found = grid_sample(conv(name, features), places.flip(-1), mode=mode, align_corners=False)
        return found.permute(0, 2, 3, 1).unflatten(3, (heads, -1))

    features = conv('conv_ch', features)
    imnet = sorted({int(key.split('.')[3]) for key in state if key.startswith('imnets.0.')})
    side = state[f'imnets.0.layers.{imnet[0]}.weight'].shape[1] // features.shape[1]
    r = (math.isqrt(side) - 1) // 2
    steps = torch.cartesian_prod(*2 * [torch.arange(-r, r + 1, dtype=size.dtype)]) * 2 / size
    nearest = ((coord + 1) * size / 2 - 0.5).round()
    places = ((2 * nearest + 1) / size - 1)[:, :, None] + steps
    offset = (coord[:, :, None] - places) * size
    query = look_up('conv_qs.0', coord[:, :, None], 'bilinear')
    keys, values = (look_up(f'conv_{name}s.0', places, 'nearest') for name in 'kv')
    logits = (query * keys).sum(-1) / math.sqrt(keys.shape[-1])  # (B, Q, W, heads)
    if kind == 'sinusoid':
        frequencies = 2 ** torch.linspace(0, 10, state['pb_encoder.proj.weight'].shape[1] // 4, dtype=size.dtype) - 1
        phases = (offset[..., None] * frequencies).flatten(3)
        logits = logits + linear('pb_encoder.proj', torch.cat([phases.sin(), phases.cos()], dim=-1))
    if kind == 'dpb':
        hidden = offset
        for first, norm in (('mlp.0', 'mlp.1'), ('mlp.3', 'mlp.4'), ('mlp.6', 'proj.0')):
            hidden = linear(f'pb_encoder.{first}', hidden)
            centered = hidden - hidden.mean(-1, keepdim=True)
            hidden = centered / (centered.square().mean(-1, keepdim=True) + 1e-6).sqrt()
            hidden = (hidden * state[f'pb_encoder.{norm}.weight'] + state[f'pb_encoder.{norm}.bias']).relu()
        logits = logits + linear('pb_encoder.proj.2', hidden)
    seen = (logits.exp() / logits.exp().sum(2, keepdim=True))[..., None] * values
    on_map = (cell * size)[:, None].expand(-1, coord.shape[1], -1)
    hidden = torch.cat([seen.flatten(2), on_map], dim=-1)
    for layer, _ in pairwise(imnet):
        hidden = linear(f'imnets.0.layers.{layer}', hidden)
        hidden = hidden * (1 + torch.erf(hidden / math.sqrt(2))) / 2
    return linear(f'imnets.0.layers.{imnet[-1]}', hidden)


def test_the_plain_form_is_the_published_one() -> None:
    """What the other positional biases are compared with, on outputs of the original with sinusoids."""
    reference = Reference('clit1')
    call = reference.calls[0]
    state = {key: value.double() for key, value in reference.state.items()}
    image, coord = call.inputs['inp'], call.inputs['sample_coord'].double()
    with torch.no_grad():
        features = subject_of(reference).features(call).double()
    skip = grid_sample(
        image.double(), coord.flip(-1)[:, None], padding_mode='border', align_corners=False
    )[:, :, 0].transpose(1, 2)  # fmt: skip
    found = plain_stage(state, features, coord, call.inputs['cell'].double(), 4, 'sinusoid') + skip
    torch.testing.assert_close(found.float(), call.outputs['pred0'], atol=call.atol['pred0'], rtol=0)


@pytest.mark.parametrize('kind', ['sinusoid', 'dpb', None])
@pytest.mark.parametrize('shared', [True, False])
def test_every_positional_bias_equals_its_plain_form(kind: str | None, shared: bool) -> None:
    """Windows beyond the map's edge, several queries per window and one; also that the bias matters."""
    torch.manual_seed(0)
    decoder = CLIT(4, **TINY, stages=1, posenc_type=kind).double()
    for parameter in decoder.parameters():
        parameter.data.mul_(2)
    state = dict(decoder.state_dict())
    features, lr = torch.randn(2, 4, 5, 6).double(), torch.zeros(2, 3, 5, 6).double()
    coord, cell = (
        torch.rand(2, 200 if shared else 3, 2).double() * 2 - 1,
        torch.tensor([[0.1, 0.07], [0.2, 0.3]]).double(),
    )
    with torch.no_grad():
        found = colors_of(decoder, features, lr, coord, cell)
        expected = plain_stage(state, features, coord, cell, 2, kind)
        torch.testing.assert_close(found, expected, atol=1e-9, rtol=0)
        if kind is not None:
            assert (plain_stage(state, features, coord, cell, 2, None) - expected).abs().max() > 1e-3


def test_stages_grow_by_four_as_far_as_the_picture_is_larger() -> None:
    decoder = CLIT(4, **TINY)
    assert decoder.stage_sizes((10, 12), (20, 24)) == ((10, 12),)
    assert decoder.stage_sizes((10, 12), (40, 48)) == ((10, 12),)
    assert decoder.stage_sizes((10, 12), (120, 144)) == ((10, 12), (40, 48))
    assert decoder.stage_sizes((10, 12), (300, 360)) == ((10, 12), (40, 48), (160, 192))
    assert decoder.stage_sizes((10, 12), (1000, 1200)) == ((10, 12), (40, 48), (160, 192))
    assert decoder.stage_sizes((10, 12), (120, 24)) == ((10, 12), (40, 24))


def test_pieces_within_a_query_do_not_change_it(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    decoder = CLIT(4, **TINY).double()
    images = [torch.randn(2, n, 5, 6, dtype=torch.float64) for n in (4, 3)]
    coord, cell = torch.rand(2, 50, 2, dtype=torch.float64) * 2 - 1, torch.full((2, 2), 0.05, dtype=torch.float64)
    whole = colors_of(decoder, *images, coord, cell)
    monkeypatch.setattr('Models.Decoders.CLIT._NUMBERS_AT_ONCE', 7 * 2 * 72)
    torch.testing.assert_close(colors_of(decoder, *images, coord, cell), whole, atol=1e-10, rtol=0)


def test_images_of_different_scales_in_a_batch_are_as_if_alone() -> None:
    torch.manual_seed(0)
    decoder = CLIT(4, **TINY).double()
    features, lr = (torch.randn(4, n, 5, 6, dtype=torch.float64) for n in (4, 3))
    coord = torch.rand(4, 20, 2, dtype=torch.float64) * 2 - 1
    cell = torch.tensor([[2 / (5 * s), 2 / (6 * s)] for s in (20, 2, 10, 3)], dtype=torch.float64)
    together = colors_of(decoder, features, lr, coord, cell)
    for i in range(4):
        alone = colors_of(decoder, *(part[i : i + 1] for part in (features, lr, coord, cell)))
        torch.testing.assert_close(together[i : i + 1], alone, atol=1e-10, rtol=0)


@pytest.mark.parametrize(('is_cell', 'kind'), [(True, 'sinusoid'), (False, 'sinusoid'), (True, 'dpb'), (True, None)])
def test_gradient_reaches_every_parameter(is_cell: bool, kind: str | None) -> None:
    """At a scale where all stages take part. The positional bias' constant changes no softmax: rounding alone."""
    torch.manual_seed(0)
    decoder = CLIT(4, **TINY, is_cell=is_cell, posenc_type=kind)
    images = torch.randn(1, 4, 4, 5), torch.rand(1, 3, 4, 5)
    coord, cell = torch.rand(1, 50, 2) * 2 - 1, torch.full((1, 2), 2 / 100)
    colors_of(decoder, *images, coord, cell).square().sum().backward()
    for name, parameter in decoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any() or name in ('pb_encoder.proj.bias', 'pb_encoder.proj.2.bias'), name


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'stages': 0}, 'stages must be at least 1'),
        ({'r': -1}, 'r at least 0'),
        ({'hidden': ()}, 'at least one layer'),
        ({'act': 'sine'}, "act must be one of .*'gelu', 'relu'.*, got 'sine'"),
        ({'scale_per_stage': 1.0}, 'scale_per_stage must be above 1'),
        ({'head': 3}, 'base_dim must be a multiple of head, got 256 and 3'),
        ({'posenc_type': 'learn'}, "posenc_type must be 'sinusoid', 'dpb' or None, got 'learn'"),
        ({'posenc_type': 'dpb', 'enc_dims': 0}, 'enc_dims must be at least 1, got 0'),
        ({'enc_dims': 6}, 'enc_dims must be a positive multiple of 4, got 6'),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CLIT(4, **options)


def test_more_sizes_than_stages_are_refused() -> None:
    decoder = CLIT(4, **TINY, stages=1)
    with pytest.raises(ValueError, match='There are 1 stages'):
        decoder.stage_maps(torch.rand(1, 8, 3, 3), [(3, 3), (6, 6)])
