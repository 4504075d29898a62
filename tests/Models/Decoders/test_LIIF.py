import itertools

import pytest
import torch
from torch.nn import functional

from Models import DecoderType, EncoderType
from Models.build import build_super_resolver
from Models.Decoders.LIIF import LIIF
from Models.SuperResolver import SuperResolver
from Orchestrators.benchmark.naive import naive_liif
from tests.decoding import colors_of


@pytest.mark.parametrize(('ensemble', 'unfold', 'cell_decode'), list(itertools.product([True, False], repeat=3)))
def test_every_switch_equals_the_plain_algorithm(
    ensemble: bool, unfold: bool, cell_decode: bool, random: torch.Generator
) -> None:
    """In double precision, at random coordinates, where the plain form shares nothing with ours but the MLP."""
    decoder = LIIF(5, (16, 16), ensemble, unfold, cell_decode).double()
    features = torch.randn(2, 5, 6, 7, generator=random, dtype=torch.float64)
    coord = torch.rand(2, 300, 2, generator=random, dtype=torch.float64) * 2 - 1
    cell = torch.rand(2, 2, generator=random, dtype=torch.float64)
    with torch.inference_mode():
        ours = colors_of(decoder, features, features[:, :3], coord, cell)
        plain = naive_liif(
            decoder.imnet, features, coord, cell, ensemble=ensemble, unfold=unfold, cell_decode=cell_decode
        )
    torch.testing.assert_close(ours, plain, atol=1e-12, rtol=0)


def test_gradients_equal_those_of_the_plain_algorithm(random: torch.Generator) -> None:
    decoder = LIIF(4, (8, 8)).double()
    features = torch.randn(1, 4, 5, 5, generator=random, dtype=torch.float64, requires_grad=True)
    coord = torch.rand(1, 100, 2, generator=random, dtype=torch.float64) * 2 - 1
    cell = torch.full((1, 2), 0.1, dtype=torch.float64)
    wanted = [features, *decoder.parameters()]
    ours = colors_of(decoder, features, features[:, :3], coord, cell).square().sum()
    plain = naive_liif(decoder.imnet, features, coord, cell, ensemble=True, unfold=True, cell_decode=True)
    for found, expected in zip(
        torch.autograd.grad(ours, wanted), torch.autograd.grad(plain.square().sum(), wanted), strict=True
    ):
        assert expected.abs().max() > 0
        torch.testing.assert_close(found, expected)


def test_a_network_without_hidden_layers_is_refused() -> None:
    with pytest.raises(ValueError, match='hidden must name at least one layer'):
        LIIF(8, ())


def test_without_an_mlp_the_nearest_feature_vector_is_the_color(random: torch.Generator) -> None:
    features = torch.rand(2, 3, 5, 4, generator=random)
    coord = torch.rand(2, 200, 2, generator=random) * 2 - 1
    decoder = LIIF(3, None)
    found = colors_of(decoder, features, features, coord, torch.full((2, 2), 0.1))
    looked_up = functional.grid_sample(features, coord.flip(-1)[:, None], mode='nearest', align_corners=False)
    assert torch.equal(found, looked_up[:, :, 0].transpose(1, 2))
    with pytest.raises(ValueError, match='the features are the colors, so three, got 8'):
        LIIF(8, None)


def test_the_normalization_can_be_that_of_another_training() -> None:
    """The network sees (image - mean) / std, and its answers are mapped back by the same."""
    torch.manual_seed(0)
    options = {'hidden': [8], 'image_mean': (0.4, 0.5, 0.6), 'image_std': (1, 2, 3)}
    model = build_super_resolver(EncoderType.EDSR, DecoderType.LIIF, {'n_resblocks': 1, 'n_feats': 8}, options)
    lr = torch.rand(1, 3, 5, 5)
    plain = SuperResolver(model.encoder, LIIF(8, [8]))
    plain.decoder.load_state_dict(model.decoder.state_dict())
    mean, std = (torch.tensor(options[name])[:, None, None] for name in ('image_mean', 'image_std'))
    seen = plain.upscale((lr - mean) / std / 2 + 0.5, (5, 5)) * 2 - 1
    inside = seen.abs() < 1
    torch.testing.assert_close(model.upscale(lr, (5, 5))[inside], (seen * std + mean).clamp(0, 1)[inside])
