import pytest
import torch

from Models.Encoders.EDSR import EDSR


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
