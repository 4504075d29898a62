from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from Models import DecoderType, EncoderType
from Models.build import build_super_resolver
from Models.published_checkpoints import from_basicsr_edsr, from_basicsr_rcan, from_liif, from_liif_native, from_swinir
from Models.SuperResolver import SuperResolver
from tests.reference_files import Reference, official_keys

DIV2K_MEAN = (0.4488, 0.4371, 0.4040)
SWINIR = {'window_size': 4, 'embed_dim': 16, 'depths': (2, 2), 'num_heads': (2, 2), 'conv_before_upsample': False}
SMALL = [
    (EncoderType.EDSR, {'n_resblocks': 1, 'n_feats': 8}),
    (EncoderType.RDN, {'D': 2, 'C': 2, 'G': 4, 'G0': 6}),
    (EncoderType.RCAN, {'n_resgroups': 1, 'n_resblocks': 1, 'n_feats': 8, 'reduction': 2}),
    (EncoderType.SwinIR, {'window_size': 4, 'embed_dim': 8, 'depths': (2,), 'num_heads': (2,)}),
    (EncoderType.SwinIR, SWINIR),
]


def native(encoder: EncoderType, options: dict[str, Any], **decoder: Any) -> SuperResolver:
    torch.manual_seed(0)
    return build_super_resolver(encoder, DecoderType.Native, options, decoder).eval()


def basicsr(img_range: float) -> dict[str, Any]:
    return {'image_mean': DIV2K_MEAN, 'image_std': (1 / img_range,) * 3}


@torch.inference_mode()
def test_edsr_equals_the_published_one() -> None:
    """That repository's network takes and gives normalized images."""
    reference = Reference('edsr_x4')
    model = native(EncoderType.EDSR, {'n_resblocks': 2, 'n_feats': 8}, scale=4)
    model.load_state_dict(from_liif_native(reference.state))
    image, expected = reference['input/inp'], reference['output/feat']
    context = model.decoder.prepare(model.encoder(image), image)
    assert context.size == (36, 40)
    found = context.picture.transpose(1, 2).unflatten(2, context.size)
    assert (found - expected).abs().max() <= reference.tolerance('output/feat')


@pytest.mark.parametrize(
    ('name', 'weights', 'encoder', 'options', 'decoder'),
    [
        (
            'basicsr_edsr_x4',
            from_basicsr_edsr,
            EncoderType.EDSR,
            {'n_resblocks': 2, 'n_feats': 8},
            {'scale': 4, **basicsr(255.0)},
        ),
        (
            'basicsr_rcan_x2',
            from_basicsr_rcan,
            EncoderType.RCAN,
            {'n_resgroups': 2, 'n_resblocks': 2, 'n_feats': 12, 'reduction': 4},
            {'scale': 2, **basicsr(255.0)},
        ),
        ('swinir_classical_x2', from_swinir, EncoderType.SwinIR, SWINIR, {'scale': 2, **basicsr(1.0)}),
    ],
)
@torch.inference_mode()
def test_whole_networks_equal_the_published_ones(  # noqa: PLR0913
    name: str,
    weights: Callable[[dict[str, Tensor]], dict[str, Tensor]],
    encoder: EncoderType,
    options: dict[str, Any],
    decoder: dict[str, Any],
) -> None:
    """From [0, 1] to [0, 1], in chunks; the SwinIR picture is no multiple of the window."""
    reference = Reference(name)
    model = native(encoder, options, **decoder)
    model.load_state_dict(weights(reference.state))
    expected = reference['output/sr'].clamp(0, 1)
    found = model.upscale(reference['input/inp'], (expected.shape[2], expected.shape[3]), queries_per_chunk=100)
    assert (found - expected).abs().max() <= reference.tolerance('output/sr')


LIGHT = {'embed_dim': 60, 'depths': (6, 6, 6, 6), 'num_heads': (6, 6, 6, 6), 'conv_before_upsample': False}


@pytest.mark.parametrize(
    ('official', 'weights', 'encoder', 'options', 'scale', 'count'),
    [
        ('edsr-baseline-x2 (liif wrapper)', from_liif, EncoderType.EDSR, {}, 2, 1_369_883 - 24),
        ('edsr-baseline-x3 (liif wrapper)', from_liif, EncoderType.EDSR, {}, 3, 1_554_523 - 24),
        ('edsr-baseline-x4 (liif wrapper)', from_liif, EncoderType.EDSR, {}, 4, 1_517_595 - 24),
        ('rdn-x3 (liif wrapper)', from_liif, EncoderType.RDN, {}, 3, 22_308_035),
        ('rdn-x4 (liif wrapper)', from_liif, EncoderType.RDN, {}, 4, 22_271_107),
        ('basicsr-edsr-M-x4', from_basicsr_edsr, EncoderType.EDSR, {}, 4, 1_517_571),
        ('basicsr-rcan-x4', from_basicsr_rcan, EncoderType.RCAN, {}, 4, 15_592_355),
        ('swinir-classical-x4', from_swinir, EncoderType.SwinIR, {}, 4, 11_900_199),
        ('swinir-lightweight-x4', from_swinir, EncoderType.SwinIR, LIGHT, 4, 929_628),
    ],
)
def test_published_networks_have_these_keys_and_parameters(  # noqa: PLR0913
    official: str,
    weights: Callable[[dict[str, Tensor]], dict[str, Tensor]],
    encoder: EncoderType,
    options: dict[str, Any],
    scale: int,
    count: int,
) -> None:
    """24 numbers are the mean shift that the original stores and never applies."""
    with torch.device('meta'):
        model = build_super_resolver(encoder, DecoderType.Native, options, {'scale': scale})
        state = {key: torch.empty(shape) for key, shape in official_keys(official)}
    model.load_state_dict(weights(state))
    assert sum(parameter.numel() for parameter in model.parameters()) == count


@pytest.mark.parametrize('scale', [2, 3, 4])
@pytest.mark.parametrize(('encoder', 'options'), SMALL)
@torch.inference_mode()
def test_chunks_are_pieces_of_the_upsampled_picture(encoder: EncoderType, options: dict[str, Any], scale: int) -> None:
    model = native(encoder, options, scale=scale)
    lr = torch.rand(2, 3, 5, 6)
    tail = model.decoder.tail
    assert isinstance(tail, torch.nn.Module)
    picture = tail(model.encoder.extract_padded(lr * 2 - 1))[..., : 5 * scale, : 6 * scale]
    for chunk in (7, 6 * scale, 10**6):
        found = model.upscale(lr, (5 * scale, 6 * scale), queries_per_chunk=chunk)
        torch.testing.assert_close(found, (picture * 0.5 + 0.5).clamp(0, 1))


@pytest.mark.parametrize(('encoder', 'options'), SMALL)
def test_gradient_reaches_every_parameter(encoder: EncoderType, options: dict[str, Any]) -> None:
    model = native(encoder, options, scale=2)
    position = (torch.arange(12) + 0.5) / 6 - 1
    coord = torch.stack([position.repeat_interleave(12), position.repeat(12)], dim=-1)[None]
    model(torch.rand(1, 3, 6, 6), coord, torch.full((1, 2), 1 / 6)).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in model.parameters())


@pytest.mark.parametrize('size', [(12, 11), (24, 24), (13, 12)])
def test_another_size_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=f'by exactly 2, to 12x12 here, and was asked for {size[0]}x{size[1]}'):
        native(*SMALL[0], scale=2).upscale(torch.rand(1, 3, 6, 6), size)


def test_coordinates_beside_the_grid_are_refused() -> None:
    model = native(*SMALL[0], scale=2)
    coord = torch.tensor([[[-1 + 1 / 12 + 0.3 / 6, -1 + 1 / 12]]])
    with pytest.raises(ValueError, match=r'the 12x12 pixels only, and was asked for a color 0\.30 pixels beside'):
        model(torch.rand(1, 3, 6, 6), coord, torch.full((1, 2), 1 / 6))


@pytest.mark.parametrize('side', [9_999, 40_000])
@torch.inference_mode()
def test_large_pictures_are_on_the_grid(side: int) -> None:
    """float32 coordinates of a long row are inexact, and still say which pixel is meant."""
    model = native(*SMALL[0], scale=3)
    picture = model.upscale(torch.rand(1, 3, 1, side), (3, 3 * side))
    assert picture.shape == (1, 3, 3, 3 * side)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'scale': 5}, 'must be 3 or a power of two from 2 on, got 5'),
        ({'image_std': (1.0, 0.0, 1.0)}, r'image_std must be above 0, got \(1\.0, 0\.0, 1\.0\)'),
        ({'image_mean': (0.5,)}, 'image_mean must be three numbers'),
        ({'scales': 2}, r"Native has no option 'scales'. Did you mean 'scale'"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        native(*SMALL[0], **options)
