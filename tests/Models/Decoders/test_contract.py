"""What every decoder promises, checked on all of them.

How many coordinates are asked for at a time, with which other images, and whether they are known to form a grid changes
nothing; all weights learn; and a decoder looks as far as it states.
"""

from typing import Any

import pytest
import torch
from torch import Tensor

from Models import DecoderType, EncoderType
from Models.Decoders.Decoder import Decoder
from Models.Decoders.Queries import GridQueries, Queries, View
from Models.SuperResolver import SuperResolver
from tests.decoding import aimed, colors_of
from tests.tiny_networks import DECODERS, tiny
from Utilities.coordinates import Crop, cell_of, pixel_centers
from Utilities.find_class import find_class

CHANNELS = 8
LR_SIZE = (12, 13)
SIZES = {
    'integer': (24, 26),
    'fractional': (31, 34),
    'anisotropic': (55, 17),
    'smaller': (9, 7),
}
TOLERANCE = {torch.float32: 1e-6, torch.float64: 1e-12}
"""Pieces of other sizes may be multiplied in another order; sums over all of them certainly are."""

OPTIONS: list[tuple[DecoderType, dict[str, Any]]] = [(member, {}) for member in DecoderType] + [
    (DecoderType[name], options)
    for name, options in [
        ('LIIF', {'local_ensemble': False}),
        ('LIIF', {'feat_unfold': False, 'cell_decode': False}),
        ('LTE', {'plus': True}),
        ('LINF', {'temperature': 0.5}),
        ('LINF', {'temperature': 0.5, 'patch_size': 3}),
        ('LINF', {'patch_size': 5}),
        ('CiaoSR', {'local_size': 1, 'feat_unfold': False}),
        ('CiaoSR', {'local_size': 3, 'non_local_attn': False, 'softmax_scale': 2.5}),
        ('CiaoSR', {'multi_scale': (2, 4)}),
        ('CLIT', {'stages': 1, 'posenc_type': 'dpb'}),
        ('CLIT', {'posenc_type': None, 'is_cell': False}),
    ]
]
"""Besides the tiny ones."""

DEPENDENT = {DecoderType.SRNO, DecoderType.HIIF}
"""Whose answers depend on which others are asked for with them."""

NEVER_LEARNS: dict[str, tuple[str, ...]] = {
    # At temperature 0 the last linear layer of a fresh flow maps 0 to 0, whatever its weights.
    'LINF': ('imnet.last._weight', 'imnet.linears.'),
    # It adds the same to all of a window, which a softmax takes no notice of: what gradient there is, is rounding.
    'CLIT': ('pb_encoder.proj.bias', 'pb_encoder.proj.2.bias'),
    # Weights of the keys matter to a softmax over two and more.
    'CiaoSR': ('imnet_k.',),
}


@pytest.fixture(params=DecoderType, ids=lambda member: member.name)
def member(request: pytest.FixtureRequest) -> DecoderType:
    return request.param


@pytest.fixture(params=TOLERANCE, ids=str)
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    return request.param


def picture(dtype: torch.dtype, size: tuple[int, int], batch: int = 1) -> Tensor:
    """Neither black nor white, so that clipping hides little."""
    random = torch.Generator().manual_seed(1)
    return 0.2 + 0.6 * torch.rand(batch, 3, *size, generator=random, dtype=dtype)


def decoder_of(member: DecoderType, options: dict[str, Any], dtype: torch.dtype) -> Decoder[Any, Any]:
    return tiny(EncoderType.EDSR, member, **options).to(dtype).decoder


def images_of(dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Features and LR images of a batch of two."""
    random = torch.Generator().manual_seed(0)
    features, lr = (torch.randn(2, dim, *LR_SIZE, generator=random, dtype=dtype) for dim in (CHANNELS, 3))
    return features, lr


def grid_of(member: DecoderType, dtype: torch.dtype) -> tuple[GridQueries, Tensor]:
    """All pixels of a picture, and their size."""
    size = SIZES['integer'] if member is DecoderType.Native else SIZES['fractional']
    rows, columns = (pixel_centers(count, dtype=dtype) for count in size)
    return GridQueries(rows, columns, 2), cell_of(size, batch=2, dtype=dtype)


def scattered_of(member: DecoderType, dtype: torch.dtype) -> tuple[Queries, Tensor]:
    """Coordinates anywhere, at a scale of its own for each image; of `Native`, which has one scale, some pixels."""
    random = torch.Generator().manual_seed(2)
    if member is DecoderType.Native:
        queries, cell = grid_of(member, dtype)
        return Queries(queries.coord[:, torch.randperm(len(queries), generator=random)[:250]]), cell
    coord = torch.rand(2, 250, 2, generator=random, dtype=dtype) * 2 - 1
    return Queries(coord), torch.cat([cell_of(size, dtype=dtype) for size in ((31, 34), (50, 41))])


def assert_same(found: Tensor, expected: Tensor) -> None:
    assert found.dtype is expected.dtype
    atol = TOLERANCE[expected.dtype] * max(1.0, expected.abs().max().item())
    torch.testing.assert_close(found, expected, atol=atol, rtol=0)


def whole_of(model: SuperResolver, lr: Tensor, size: tuple[int, int]) -> Tensor:
    whole = model.upscale(lr, size, queries_per_chunk=size[0] * size[1])
    assert whole.std() > 0.02
    return whole


@pytest.mark.parametrize(('member', 'options'), OPTIONS, ids=str)
def test_pieces_change_nothing(member: DecoderType, options: dict[str, Any], dtype: torch.dtype) -> None:
    """Of scattered coordinates, with and without gradients; and there are as many as it takes."""
    decoder = decoder_of(member, options, dtype)
    queries, cell = scattered_of(member, dtype)
    for recording in (torch.enable_grad, torch.no_grad):
        with recording():
            ready = aimed(decoder, *images_of(dtype), cell)
            whole = decoder.query(ready, queries)
            for size in (7, 100, 250):
                pieces = list(decoder.query_in_pieces(ready, queries, size))
                assert [piece.shape[1] for piece in pieces] == [len(piece) for piece in queries.pieces(size)]
                assert_same(torch.cat(pieces, dim=1), whole)
            # What a piece answers alone is another matter for some, so the above is no accident.
            alone = torch.cat([decoder.query(ready, piece) for piece in queries.pieces(7)], dim=1)
            assert ((alone - whole).abs().max() > 1e-4) == (member in DEPENDENT)


@torch.inference_mode()
@pytest.mark.parametrize(('member', 'options'), OPTIONS, ids=str)
def test_a_grid_equals_scattered_coordinates(member: DecoderType, options: dict[str, Any], dtype: torch.dtype) -> None:
    decoder = decoder_of(member, options, dtype)
    grid, cell = grid_of(member, dtype)
    ready = aimed(decoder, *images_of(dtype), cell)
    expected = decoder.query(ready, Queries(grid.coord))
    assert torch.equal(decoder.query(ready, grid), expected)
    for size in (34, 100):
        assert_same(torch.cat(list(decoder.query_in_pieces(ready, grid, size)), dim=1), expected)


@torch.inference_mode()
@pytest.mark.parametrize('kind', SIZES)
def test_chunks_change_nothing_at_any_size(member: DecoderType, dtype: torch.dtype, kind: str) -> None:
    if member is DecoderType.Native and kind != 'integer':
        return
    model = tiny(EncoderType.EDSR, member).to(dtype)
    lr = picture(dtype, LR_SIZE)
    whole = whole_of(model, lr, SIZES[kind])
    assert whole.shape[2:] == SIZES[kind]
    for queries_per_chunk in (SIZES[kind][1], 50):
        assert_same(model.upscale(lr, SIZES[kind], queries_per_chunk=queries_per_chunk), whole)


def test_chunks_of_a_large_picture_change_nothing(member: DecoderType, dtype: torch.dtype) -> None:
    """One row at a time, 1 000 and 10 000 pixels that end anywhere in a row, and all."""
    model = tiny(EncoderType.EDSR, member).to(dtype)
    lr = picture(dtype, (51, 57))
    size = (102, 114) if member is DecoderType.Native else (101, 119)
    whole = whole_of(model, lr, size)
    for queries_per_chunk in (size[1], 1_000, 10_000):
        assert_same(model.upscale(lr, size, queries_per_chunk=queries_per_chunk), whole)


@pytest.mark.parametrize(('member', 'options'), OPTIONS, ids=str)
def test_each_image_of_a_batch_answers_for_itself(
    member: DecoderType, options: dict[str, Any], dtype: torch.dtype
) -> None:
    """At a scale of its own. Noise belongs to the position in the batch."""
    decoder = decoder_of(member, options, dtype)
    (features, lr), (queries, cell) = images_of(dtype), scattered_of(member, dtype)
    together = colors_of(decoder, features, lr, queries.coord, cell)
    for image in (0,) if options.get('temperature') else (0, 1):
        only = slice(image, image + 1)
        assert_same(colors_of(decoder, features[only], lr[only], queries.coord[only], cell[only]), together[only])


@pytest.mark.parametrize(('member', 'options'), OPTIONS, ids=str)
def test_gradient_reaches_every_parameter(member: DecoderType, options: dict[str, Any]) -> None:
    """And the features; all that ask for one."""
    decoder = decoder_of(member, options, torch.float32)
    features, lr = images_of(torch.float32)
    queries, cell = scattered_of(member, torch.float32)
    colors_of(decoder, features.requires_grad_(), lr, queries.coord, cell).square().sum().backward()
    exceptions = NEVER_LEARNS.get(member.name, ())
    for name, parameter in [('features', features), *decoder.named_parameters()]:
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
            assert parameter.grad.any() or name.startswith(exceptions), name


@torch.inference_mode()
@pytest.mark.parametrize(('member', 'options'), OPTIONS, ids=str)
def test_a_crop_answers_as_the_whole_to_the_last_bit(member: DecoderType, options: dict[str, Any]) -> None:
    """Where the decoder says so, with the stated margin; on borders and centers of LR pixels too."""
    decoder = decoder_of(member, options, torch.float64)
    margin = decoder.facts.receptive_field
    if not decoder.facts.exact_on_crops or margin is None:
        pytest.skip('promises nothing')
    features, lr = images_of(torch.float64)
    rows, columns = pixel_centers(36, dtype=torch.float64), pixel_centers(26, dtype=torch.float64)
    crop, cell = Crop(LR_SIZE, range(2, 11), range(1, 10)), cell_of((36, 26), batch=2, dtype=torch.float64)
    part = GridQueries(rows[3 * (2 + margin + 1) : 3 * (11 - margin - 1)], columns[2 * (1 + margin + 1) : 2 * 6], 2)
    whole = decoder.query(decoder.aim(decoder.prepare(features, lr), View(LR_SIZE, cell)), part)
    cut = decoder.prepare(features[:, :, 2:11, 1:10], lr[:, :, 2:11, 1:10])
    assert_same(decoder.query(decoder.aim(cut, View(LR_SIZE, cell, crop)), part), whole)


def test_every_decoder_has_tiny_options() -> None:
    for member in DecoderType:
        assert issubclass(find_class(member, 'Models.Decoders'), Decoder)
        assert member.name in DECODERS
