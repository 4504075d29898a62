"""How many coordinates are asked for at a time, and with which other images, changes nothing."""

import pytest
import torch
from torch import Tensor

from Models import DecoderType, EncoderType
from Models.SuperResolver import SuperResolver
from tests.tiny_networks import tiny

LR_SIZE = (12, 13)
SIZES = {
    'integer': (24, 26),
    'fractional': (31, 34),
    'anisotropic': (55, 17),
    'smaller': (9, 7),
}
TOLERANCE = {torch.float32: 1e-6, torch.float64: 1e-12}
"""Pieces of other sizes may be multiplied in another order; sums over all of them certainly are."""


@pytest.fixture(params=DecoderType, ids=lambda member: member.name)
def decoder(request: pytest.FixtureRequest) -> DecoderType:
    return request.param


@pytest.fixture(params=TOLERANCE, ids=str)
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    return request.param


def picture(dtype: torch.dtype, size: tuple[int, int], batch: int = 1) -> Tensor:
    """Neither black nor white, so that clipping hides little."""
    random = torch.Generator().manual_seed(1)
    return 0.2 + 0.6 * torch.rand(batch, 3, *size, generator=random, dtype=dtype)


def assert_same(found: Tensor, expected: Tensor) -> None:
    assert found.dtype is expected.dtype
    torch.testing.assert_close(found, expected, atol=TOLERANCE[expected.dtype], rtol=0)


def whole_of(model: SuperResolver, lr: Tensor, size: tuple[int, int]) -> Tensor:
    whole = model.upscale(lr, size, queries_per_chunk=size[0] * size[1])
    assert whole.std() > 0.02
    return whole


def test_chunks_change_nothing(decoder: DecoderType, dtype: torch.dtype) -> None:
    """One row at a time, 1 000 and 10 000 pixels that end anywhere in a row, and all."""
    model = tiny(EncoderType.EDSR, decoder).to(dtype)
    lr = picture(dtype, (51, 57))
    size = (102, 114) if decoder is DecoderType.Native else (101, 119)
    whole = whole_of(model, lr, size)
    for queries_per_chunk in (size[1], 1_000, 10_000):
        assert_same(model.upscale(lr, size, queries_per_chunk=queries_per_chunk), whole)


@pytest.mark.parametrize(
    ('decoder', 'kind'),
    [(decoder, kind) for decoder in DecoderType for kind in SIZES if decoder.name != 'Native' or kind == 'integer'],
)
def test_chunks_change_nothing_at_any_size(decoder: DecoderType, dtype: torch.dtype, kind: str) -> None:
    model = tiny(EncoderType.EDSR, decoder).to(dtype)
    lr = picture(dtype, LR_SIZE)
    whole = whole_of(model, lr, SIZES[kind])
    assert whole.shape[2:] == SIZES[kind]
    for queries_per_chunk in (SIZES[kind][1], 50):
        assert_same(model.upscale(lr, SIZES[kind], queries_per_chunk=queries_per_chunk), whole)


def test_each_image_of_a_batch_answers_for_itself(decoder: DecoderType, dtype: torch.dtype) -> None:
    model = tiny(EncoderType.EDSR, decoder).to(dtype)
    lr = picture(dtype, LR_SIZE, batch=2)
    together = whole_of(model, lr, SIZES['integer'])
    assert_same(torch.cat([model.upscale(image[None], SIZES['integer']) for image in lr]), together)


@pytest.mark.parametrize('patch_size', [1, 3])
def test_samples_of_a_flow_do_not_depend_on_chunks(dtype: torch.dtype, patch_size: int) -> None:
    """Noise belongs to the pixel, and a patch to the picture."""
    model = tiny(EncoderType.EDSR, DecoderType.LINF, temperature=0.5, patch_size=patch_size).to(dtype)
    lr = picture(dtype, LR_SIZE)
    whole = whole_of(model, lr, SIZES['fractional'])
    for queries_per_chunk in (SIZES['fractional'][1], 50):
        assert_same(model.upscale(lr, SIZES['fractional'], queries_per_chunk=queries_per_chunk), whole)
