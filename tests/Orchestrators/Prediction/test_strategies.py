"""Tiles equal the whole wherever the network allows it, and say so where it does not."""

import logging
from typing import Any

import pytest
import torch
from torch import Tensor

from Configuration import BaseTestingConfiguration
from Models import DecoderType, EncoderType, TestingStrategy
from Models.SuperResolver import SuperResolver
from Orchestrators.Prediction.strategies import bicubic, predictor_of
from tests.tiny_networks import tiny

CPU = torch.device('cpu')
LR_SIZE = (31, 37)
"""Odd, and larger than a tile with its margin, so that some tiles see no border of the picture."""

SIZES = {
    'x1': (31, 37),
    'x1.5': (47, 56),
    'x2': (62, 74),
    'x2.7': (84, 100),
    'x3': (93, 111),
    'x8': (248, 296),
    'x5 and x1.35': (155, 50),
}
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}

EXACT_ENCODERS = [EncoderType.EDSR, EncoderType.RDN]
LOCAL_DECODERS = [DecoderType.MetaSR, DecoderType.LIIF, DecoderType.LTE, DecoderType.LINF]


def picture(dtype: torch.dtype = torch.float32, size: tuple[int, int] = LR_SIZE) -> Tensor:
    """Neither black nor white, so that clipping hides little."""
    random = torch.Generator().manual_seed(1)
    return 0.2 + 0.6 * torch.rand(1, 3, *size, generator=random, dtype=dtype)


def difference(
    model: SuperResolver,
    lr: Tensor,
    size: tuple[int, int],
    side: int,
    overlap: int | None = None,
    strategy: TestingStrategy = TestingStrategy.OverlappingPatched,
) -> float:
    whole = model.upscale(lr, size)
    assert whole.std() > 0.02
    tiled = predictor_of(model, strategy, CPU, None, side, overlap)(lr, size).image
    assert (tiled.shape, tiled.dtype) == (whole.shape, whole.dtype)
    return (tiled - whole).abs().max().item()


# Exactness


@pytest.mark.parametrize('dtype', TOLERANCE, ids=str)
@pytest.mark.parametrize('decoder', LOCAL_DECODERS)
@pytest.mark.parametrize('encoder', EXACT_ENCODERS)
def test_tiles_with_the_halo_equal_the_whole(encoder: EncoderType, decoder: DecoderType, dtype: torch.dtype) -> None:
    """Also where HR pixels lie on centres and borders of LR pixels, and neither weights nor neighbors are certain."""
    model = tiny(encoder, decoder).to(dtype)
    lr = picture(dtype)
    for size in SIZES.values():
        assert difference(model, lr, size, side=11) <= TOLERANCE[dtype]
        assert overlapping(model, 11)(lr, size).exactness == 'exact'


@pytest.mark.parametrize('decoder', DecoderType)
def test_tiles_are_called_exact_where_they_are(decoder: DecoderType) -> None:
    """At x2 no HR pixel lies on the centre or border of an LR pixel."""
    model = tiny(EncoderType.EDSR, decoder).double()
    is_exact = overlapping(model, 7)(picture(torch.float64), (62, 74)).exactness == 'exact'
    assert is_exact == (model.receptive_field is not None)
    assert (difference(model, picture(torch.float64), (62, 74), side=7) <= 1e-12) == is_exact


@pytest.mark.parametrize('side', [1, 4, 14, 36])
def test_tiles_of_any_side_equal_the_whole(side: int) -> None:
    model = tiny(EncoderType.EDSR, DecoderType.LTE).double()
    lr = picture(torch.float64, (15, 19))
    for size in ((45, 57), (23, 50)):
        assert difference(model, lr, size, side) <= 1e-12


@pytest.mark.parametrize('dtype', TOLERANCE, ids=str)
@pytest.mark.parametrize('decoder', LOCAL_DECODERS)
def test_tiles_of_a_long_picture_equal_the_whole(decoder: DecoderType, dtype: torch.dtype) -> None:
    """Here single precision is coarse, and some HR pixels are so near before an LR pixel that the nudge decides."""
    model = tiny(EncoderType.EDSR, decoder).to(dtype)
    assert difference(model, picture(dtype, (3, 1501)), (4, 2999), side=100) <= TOLERANCE[dtype]


@pytest.mark.parametrize('options', [{'feat_unfold': True}, {'feat_unfold': False}])
def test_tiles_equal_the_whole_where_a_centre_is_on_the_border_of_two_pixels(options: dict[str, Any]) -> None:
    """At x1.5, every third one is; without local ensemble rounding decides which of the two is nearest."""
    model = tiny(EncoderType.EDSR, DecoderType.LIIF, local_ensemble=False, **options)
    for side in (5, 7, 8, 9):
        assert difference(model, picture(size=(30, 36)), (45, 54), side) <= 1e-5


def test_noise_of_a_flow_belongs_to_the_pixel_of_the_whole_picture() -> None:
    model = tiny(EncoderType.EDSR, DecoderType.LINF, temperature=0.5)
    assert difference(model, picture(), (84, 100), side=7, overlap=6) <= 1e-5


def test_a_picture_of_one_tile_is_the_whole() -> None:
    """To the last bit, with any network and strategy."""
    model = tiny(EncoderType.SwinIR, DecoderType.SRNO)
    for strategy in (TestingStrategy.Patched, TestingStrategy.OverlappingPatched):
        assert difference(model, picture(size=(9, 12)), (20, 30), side=12, strategy=strategy) == 0
        assert predictor_of(model, strategy, CPU, None, 12)(picture(size=(9, 12)), (20, 30)).exactness == 'exact'


@pytest.mark.parametrize('scale', [2, 3, 4])
@pytest.mark.parametrize('encoder', EXACT_ENCODERS)
def test_tiles_of_a_fixed_scale_equal_the_whole(encoder: EncoderType, scale: int) -> None:
    model = tiny(encoder, DecoderType.Native, scale=scale).double()
    assert difference(model, picture(torch.float64), (31 * scale, 37 * scale), side=7) <= 1e-12


@pytest.mark.parametrize('strategy', [TestingStrategy.Patched, TestingStrategy.OverlappingPatched])
@pytest.mark.parametrize('size', [(63, 74), (62, 73), (93, 111)])
def test_a_fixed_scale_refuses_others_in_the_words_of_the_whole(
    size: tuple[int, int], strategy: TestingStrategy
) -> None:
    predict = predictor_of(tiny(EncoderType.EDSR, DecoderType.Native), strategy, CPU, None, 7)
    with pytest.raises(ValueError, match=f'by exactly 2, to 62x74 here, and was asked for {size[0]}x{size[1]}'):
        predict(picture(), size)


# Approximation


def overlapping(model: SuperResolver, side: int, overlap: int | None = None) -> Any:
    return predictor_of(model, TestingStrategy.OverlappingPatched, CPU, None, side, overlap)


@pytest.mark.parametrize('decoder', LOCAL_DECODERS)
def test_channel_attention_makes_tiles_approximate(decoder: DecoderType) -> None:
    """RCAN's means are over the picture: with all margin that its convolutions need, the dark half still differs."""
    model = tiny(EncoderType.RCAN, decoder).double()
    lr = picture(torch.float64, (16, 60)) * torch.linspace(0.1, 1, 60, dtype=torch.float64)
    convolutions = 2 + 1 + 1 + 1 + 2  # of head and tail, block, group, and the decoder's reach
    with_margin = difference(model, lr, (48, 180), side=20, overlap=convolutions + 3)
    without = difference(model, lr, (48, 180), side=20, strategy=TestingStrategy.Patched)
    assert 1e-6 < with_margin < without
    assert overlapping(model, 20, convolutions + 3)(lr, (48, 180)).exactness == 'approximate'


@pytest.mark.parametrize(
    ('encoder', 'decoder', 'overlap', 'size', 'exactness', 'reason'),
    [
        ('EDSR', 'LIIF', None, (62, 74), 'exact', None),
        ('EDSR', 'LIIF', 6, (62, 74), 'exact', None),
        (
            'EDSR',
            'LIIF',
            5,
            (62, 74),
            'approximate',
            "5 LR pixels of margin are fewer than the network's receptive field, 6",
        ),
        ('EDSR', 'LIIF', None, (30, 74), 'approximate', 'the receptive field holds at scales from 1 on'),
        ('RCAN', 'LIIF', None, (62, 74), 'approximate', 'no margin is enough for RCAN-LIIF'),
        ('SwinIR', 'LIIF', None, (62, 74), 'approximate', 'no margin is enough for SwinIR-LIIF'),
        ('EDSR', 'SRNO', None, (62, 74), 'approximate', 'no margin is enough for EDSR-SRNO'),
        ('EDSR', 'HIIF', None, (62, 74), 'approximate', 'no margin is enough for EDSR-HIIF'),
    ],
)
def test_what_is_approximate_is_said_once(  # noqa: PLR0917
    encoder: str,
    decoder: str,
    overlap: int | None,
    size: tuple[int, int],
    exactness: str,
    reason: str | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    predict = overlapping(tiny(EncoderType[encoder], DecoderType[decoder]), 8, overlap)
    caplog.set_level(logging.WARNING)
    for _ in range(2):
        found = predict(picture(), size)
        assert found.image.isfinite().all()
        assert (found.exactness, found.why is None) == (exactness, reason is None)
        assert (reason or '') in (found.why or '')
    assert [reason is not None and reason in message for message in caplog.messages] == ([True] if reason else [])
    assert all('Tiles of 8 LR pixels are approximate' in message for message in caplog.messages)


def test_a_margin_below_the_halo_does_differ() -> None:
    model = tiny(EncoderType.EDSR, DecoderType.LTE).double()
    by_overlap = [difference(model, picture(torch.float64), (93, 111), 7, overlap) for overlap in (1, 3, 6)]
    assert by_overlap[0] > by_overlap[1] > 1e-12 >= by_overlap[2]


def test_whole_pictures_are_exact() -> None:
    model = tiny(EncoderType.RCAN, DecoderType.SRNO)
    for predict in (bicubic, predictor_of(model, TestingStrategy.Simple, CPU, None)):
        assert predict(picture(), (62, 74)).exactness == 'exact'


@pytest.mark.parametrize('decoder', DecoderType)
def test_patched_upscales_each_tile_as_a_picture_of_its_own(decoder: DecoderType) -> None:
    model = tiny(EncoderType.EDSR, decoder).double()
    lr = picture(torch.float64)
    found = predictor_of(model, TestingStrategy.Patched, CPU, None, 16)(lr, (62, 74)).image
    for top, left in ((0, 0), (16, 16), (16, 32), (0, 32)):
        tile = model.upscale(lr[..., top : top + 16, left : left + 16], (2 * min(16, 31 - top), 2 * min(16, 37 - left)))
        place = found[..., 2 * top : 2 * top + tile.shape[2], 2 * left : 2 * left + tile.shape[3]]
        torch.testing.assert_close(place, tile, atol=1e-12, rtol=0)


# Memory


def test_the_network_sees_no_more_than_a_tile_and_its_margin() -> None:
    model = tiny(EncoderType.EDSR, DecoderType.LIIF)
    seen: list[tuple[int, ...]] = []
    model.encoder.register_forward_pre_hook(lambda _, inputs: seen.append(tuple(inputs[0].shape[2:])))
    overlapping(model, 8, 3)(picture(), (62, 74))
    assert len(seen) == 4 * 5
    # One more than the margin to each side.
    assert (max(height for height, _ in seen), max(width for _, width in seen)) == (16, 16)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='there is no GPU here')
@pytest.mark.parametrize('decoder', LOCAL_DECODERS)
def test_tiles_on_a_gpu_equal_the_whole_there(decoder: DecoderType) -> None:
    device = torch.device('cuda')
    for dtype, tolerance in TOLERANCE.items():
        model = tiny(EncoderType.EDSR, decoder).to(device, dtype)
        with torch.backends.cudnn.flags(allow_tf32=False):
            whole = predictor_of(model, TestingStrategy.Simple, device, None)(picture(dtype), (93, 111)).image
            tiled = predictor_of(model, TestingStrategy.OverlappingPatched, device, None, 7)(
                picture(dtype), (93, 111)
            ).image
        assert tiled.device == CPU
        torch.testing.assert_close(tiled, whole, atol=tolerance, rtol=0)


# Settings


@pytest.mark.parametrize(
    'settings',
    [
        {'test_strategy': TestingStrategy.Patched, 'breakdown_patch_size': 48},
        {'test_strategy': TestingStrategy.OverlappingPatched, 'breakdown_patch_size': 48},
        {'test_strategy': TestingStrategy.OverlappingPatched, 'breakdown_patch_size': 48, 'overlap': 47},
        {'test_strategy': TestingStrategy.OverlappingPatched, 'breakdown_patch_size': 48, 'overlap': 0},
    ],
)
def test_sizes_of_tiles_are_settings(settings: dict[str, Any]) -> None:
    assert BaseTestingConfiguration(**settings).breakdown_patch_size == 48


@pytest.mark.parametrize(
    ('strategy', 'settings', 'message'),
    [
        ('Simple', {'overlap': 8}, 'overlap has no effect with TestingStrategy.Simple'),
        ('Simple', {'breakdown_patch_size': 48}, 'breakdown_patch_size has no effect with TestingStrategy.Simple'),
        ('Patched', {}, 'breakdown_patch_size must be the side of a tile in LR pixels with TestingStrategy.Patched'),
        ('Patched', {'breakdown_patch_size': 48, 'overlap': 8}, 'overlap has no effect with TestingStrategy.Patched'),
        ('OverlappingPatched', {'overlap': 8}, 'breakdown_patch_size must be .* with TestingStrategy.Overlapping'),
        (
            'OverlappingPatched',
            {'breakdown_patch_size': 48, 'overlap': 48},
            'overlap must be smaller than breakdown_patch_size, got 48 and 48',
        ),
    ],
)
def test_settings_that_contradict_the_strategy_are_refused(
    strategy: str, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        BaseTestingConfiguration(test_strategy=TestingStrategy[strategy], **settings)


@pytest.mark.parametrize('side', [None, 0])
def test_tiles_without_a_side_are_refused(side: int | None) -> None:
    with pytest.raises(ValueError, match=f'at least 1 LR pixel, got {side}'):
        predictor_of(tiny(EncoderType.EDSR, DecoderType.LIIF), TestingStrategy.Patched, CPU, None, side)
