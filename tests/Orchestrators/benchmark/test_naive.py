"""The plain forms and ours are the same functions, with the same gradients."""

from typing import Any

import pytest
import torch
from torch import Tensor

from Models import DecoderType
from Models.Decoders.Decoder import Decoder
from Orchestrators.benchmark import naive
from tests.decoding import colors_of
from tests.Models.test_references import subject_of
from tests.reference_files import Reference
from tests.tiny_networks import DECODERS
from Utilities.find_class import find_class

COMPARED = [member for member in DecoderType if member is not DecoderType.Native]
OPTIONS = [(member, {}) for member in COMPARED] + [
    (DecoderType.LTE, {'plus': True}),
    (DecoderType.CiaoSR, {'local_size': 3}),
    (DecoderType.CiaoSR, {'local_size': 1, 'feat_unfold': False}),
    (DecoderType.CiaoSR, {'multi_scale': (2, 3, 4)}),
    (DecoderType.CiaoSR, {'non_local_attn': False}),
    (DecoderType.CLIT, {'act': 'relu', 'is_cell': False, 'stages': 1}),
    (DecoderType.MetaSR, {'hidden': (16, 8)}),
]
LR_SIZE = (10, 12)


def decoder_of(member: DecoderType, options: dict[str, object]) -> Decoder[Any, Any]:
    torch.manual_seed(0)
    decoder = find_class(member, 'Models.Decoders')(6, **DECODERS[member.name] | options)
    for name, parameter in decoder.named_parameters():
        if 'ln.' in name or 'norm' in name or name.endswith('bias'):
            torch.nn.init.normal_(parameter, mean=float(name.endswith('weight')), std=0.3)
    return decoder


def inputs_of(random: torch.Generator, dtype: torch.dtype, queries: int = 400, scale: float = 3.3) -> list[Tensor]:
    """Features, image, coordinates and cells of a batch of two; no coordinate is between two LR pixels."""
    features = torch.randn(2, 6, *LR_SIZE, generator=random, dtype=torch.float64).to(dtype)
    lr = torch.rand(2, 3, *LR_SIZE, generator=random, dtype=torch.float64).to(dtype)
    coord = (torch.rand(2, queries, 2, generator=random, dtype=torch.float64) * 2 - 1).to(dtype)
    cell = (2 / torch.tensor(LR_SIZE, dtype=torch.float64) / scale).expand(2, 2).to(dtype)
    return [features, lr, coord, cell]


@pytest.mark.parametrize(('member', 'options'), OPTIONS, ids=str)
@torch.inference_mode()
def test_ours_equals_the_plain_form(member: DecoderType, options: dict[str, object], random: torch.Generator) -> None:
    """In double precision."""
    # Ours knows one unit of offsets, in which the 1e-9 that HIIF adds to its areas is a quarter of the published one.
    tolerance = 1e-8 if member is DecoderType.HIIF else 1e-10
    decoder = decoder_of(member, options).double()
    features, lr, coord, cell = inputs_of(random, torch.float64)
    plain = naive.query(decoder, features, lr, coord, cell)
    ours = colors_of(decoder, features, lr, coord, cell)
    assert plain.std() > 0.02
    torch.testing.assert_close(ours, plain, atol=tolerance, rtol=0)
    pieces = list(naive.query_in_chunks(decoder, features, lr, coord, cell))
    torch.testing.assert_close(torch.cat(pieces, dim=1), plain, atol=1e-12, rtol=0)


@pytest.mark.parametrize(('member', 'options'), OPTIONS, ids=str)
@pytest.mark.parametrize(('dtype', 'tolerance'), [(torch.float32, 1e-4), (torch.float64, 1e-8)], ids=str)
def test_gradients_equal_those_of_the_plain_form(
    member: DecoderType, options: dict[str, object], dtype: torch.dtype, tolerance: float, random: torch.Generator
) -> None:
    """With respect to features and weights; relative to the largest number of each, or a thousandth of all's."""
    if member is DecoderType.HIIF:
        tolerance = max(tolerance, 1e-7)  # as above
    if dtype is torch.float32 and member is DecoderType.CLIT:
        pytest.skip('its frequencies of up to 2^10 make single precision too coarse')
    decoder = decoder_of(member, options).to(dtype)
    features, lr, coord, cell = inputs_of(random, dtype)
    features.requires_grad_()
    wanted = {'features': features} | {name: p for name, p in decoder.named_parameters() if p.requires_grad}
    ours = colors_of(decoder, features, lr, coord, cell)
    plain = naive.query(decoder, features, lr, coord, cell)
    goal = torch.randn(plain.shape, generator=random, dtype=torch.float64).to(dtype)
    found, expected = (
        torch.autograd.grad((colors * goal).sum(), list(wanted.values()), allow_unused=True) for colors in (ours, plain)
    )
    floor = 1e-3 * max(theirs.abs().max() for theirs in expected if theirs is not None)
    for name, mine, theirs in zip(wanted, found, expected, strict=True):
        assert (mine is None) == (theirs is None), name
        if theirs is not None:
            error = (mine - theirs).abs().max() / max(theirs.abs().max(), floor)
            assert error <= tolerance, f'{name}: off by {error:.1e}'


@pytest.mark.parametrize(
    ('fixture', 'coord', 'output'),
    [
        ('liif', 'coord', 'rgb'),
        ('metasr', 'coord', 'rgb'),
        ('lte', 'coord', 'rgb'),
        ('lte_plus', 'coord', 'rgb'),
        ('srno', 'coord', 'rgb'),
        ('hiif', 'coord', 'rgb'),
        ('linf', 'coord', 'rgb_t0'),
        ('ciaosr', 'coord', 'rgb'),
        ('clit1', 'sample_coord', 'pred0'),
    ],
)
@torch.inference_mode()
def test_the_plain_form_equals_the_published_network(fixture: str, coord: str, output: str) -> None:
    reference = Reference(fixture)
    subject, call = subject_of(reference), reference.calls[0]
    assert subject.decoder is not None
    cell = call.inputs['cell']
    expected = call.outputs[output]
    found = naive.query(
        subject.decoder,
        subject.features(call),
        call.inputs['inp'],
        call.inputs[coord].flatten(1, -2),
        cell[:, 0] if cell.dim() == 3 else cell,
    )
    if expected.dim() == 4:
        found = found.transpose(1, 2).unflatten(2, expected.shape[2:])
    torch.testing.assert_close(found, expected, atol=call.atol[output], rtol=0)
