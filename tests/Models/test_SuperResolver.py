import pytest
import torch
from torch import Tensor

from Models import DecoderType, EncoderType
from Models.build import build_super_resolver
from Models.SuperResolver import SuperResolver
from Utilities.coordinates import cell_of, coordinates_of, pixel_centers


@pytest.fixture
def model() -> SuperResolver:
    torch.manual_seed(0)
    return build_super_resolver(EncoderType.EDSR, DecoderType.LIIF, {'n_resblocks': 1, 'n_feats': 8}, {'hidden': [16]})


def test_upscale_is_forward_over_the_whole_grid(model: SuperResolver, random: torch.Generator) -> None:
    lr = torch.rand(2, 3, 5, 6, generator=random)
    size = (11, 17)
    coord = coordinates_of(pixel_centers(11), pixel_centers(17)).expand(2, -1, -1)
    with torch.inference_mode():
        colors = model(lr, coord, cell_of(size, batch=2)).clamp(0, 1)
    torch.testing.assert_close(model.upscale(lr, size), colors.transpose(1, 2).reshape(2, 3, *size))


def test_a_crop_is_a_crop_of_the_whole(model: SuperResolver, random: torch.Generator) -> None:
    """Where the network sees no border, upscaling does not depend on where the picture was cut."""
    lr = torch.rand(1, 3, 40, 40, generator=random)
    whole, part = model.upscale(lr, (120, 120)), model.upscale(lr[..., 10:30, 10:30], (60, 60))
    halo = 6 * 3  # 3 x 3 convolutions: 4 in the encoder, 1 in the decoder, and the neighbor, at x3
    inner = part[..., halo:-halo, halo:-halo]
    torch.testing.assert_close(inner, whole[..., 30 + halo : 90 - halo, 30 + halo : 90 - halo], atol=1e-5, rtol=0)


def test_every_parameter_learns(model: SuperResolver, random: torch.Generator) -> None:
    coord = torch.rand(1, 50, 2, generator=random) * 2 - 1
    colors: Tensor = model(torch.rand(1, 3, 6, 6, generator=random), coord, cell_of((12, 12)))
    colors.square().sum().backward()
    assert [name for name, parameter in model.named_parameters() if parameter.grad is None] == []
    assert all(parameter.grad.abs().sum() > 0 for parameter in model.parameters() if parameter.grad is not None)


def test_colors_stay_in_range(model: SuperResolver) -> None:
    with torch.no_grad():
        model.decoder.imnet.layers[-1].bias.fill_(9)  # type: ignore[union-attr, index]
    assert model.upscale(torch.rand(1, 3, 4, 4), (8, 8)).max() == 1


def test_an_empty_size_is_refused(model: SuperResolver) -> None:
    with pytest.raises(ValueError, match='at least 1x1, got 0x8'):
        model.upscale(torch.rand(1, 3, 4, 4), (0, 8))


def test_one_seed_gives_one_network() -> None:
    weights = []
    for _ in range(2):
        torch.manual_seed(3)
        weights.append(build_super_resolver(EncoderType.EDSR, DecoderType.LIIF, {'n_feats': 8}, {'hidden': [8]}))
    first, second = (model.state_dict() for model in weights)
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize(
    ('encoder', 'decoder', 'message'),
    [
        ({'n_resblock': 3}, {}, "encoder_options: EDSR has no option 'n_resblock'. Did you mean 'n_resblocks'"),
        ({}, {'feature_dim': 3}, "decoder_options: LIIF has no option 'feature_dim'"),
        ({'n_feats': 'wide'}, {}, 'encoder_options: EDSR can not be built'),
    ],
)
def test_options_that_a_network_does_not_take_are_refused(encoder: dict, decoder: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build_super_resolver(EncoderType.EDSR, DecoderType.LIIF, encoder, decoder)
