import pytest
import torch

from Models.Encoders.EDSR import EDSR


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_parameter_counts_are_the_published_ones() -> None:
    """3x3 convolutions with bias: head 3 -> C, 2 per block C -> C, one more C -> C."""
    for blocks, width, published in ((16, 64, 1_220_000), (32, 256, 38_360_000)):
        by_hand = (3 * 9 + 1) * width + (2 * blocks + 1) * (width * 9 + 1) * width
        assert count(EDSR(n_resblocks=blocks, n_feats=width, res_scale=0.1)) == by_hand
        assert by_hand == pytest.approx(published, rel=1e-3)


def test_features_have_the_size_of_the_image(random: torch.Generator) -> None:
    encoder = EDSR(n_resblocks=2, n_feats=8)
    assert encoder(torch.rand(2, 3, 5, 7, generator=random)).shape == (2, encoder.feature_dim, 5, 7)


def test_residual_scale_scales_each_block(random: torch.Generator) -> None:
    image = torch.rand(1, 3, 6, 6, generator=random)
    encoder = EDSR(n_resblocks=1, n_feats=4, res_scale=0.1)
    block, last = encoder.body[0], encoder.body[1]
    shallow = encoder.head(image)
    by_hand = shallow + last(shallow + 0.1 * block.body(shallow))
    torch.testing.assert_close(encoder(image), by_hand)


def test_an_impossible_size_is_refused() -> None:
    with pytest.raises(ValueError, match='n_resblocks must be at least 0 and n_feats at least 1, got -1 and 64'):
        EDSR(n_resblocks=-1)
