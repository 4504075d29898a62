"""How an LR image was made travels with it, to encoders that want to know."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from Models.Decoders.LIIF import LIIF
from Models.Decoders.Native import Native
from Models.Encoders.Encoder import Condition, Encoder, NativeTail
from Models.SuperResolver import SuperResolver
from tests.decoding import colors_of
from Utilities.coordinates import cell_of

ROWS = {'blur_width': torch.tensor([[1.5], [0.5]]), 'noise_level': torch.tensor([[0.0], [0.2]])}


class Modulated(Encoder):
    """A convolution, times what the condition says."""

    feature_dim = 4
    condition_names = ('noise_level', 'blur_width')

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, 4, 3, padding=1)
        self.factor = nn.Linear(2, 4)

    def extract(self, lr: Tensor, condition: Condition | None = None) -> Tensor:
        features = self.head(lr)
        if condition is None:
            return features
        assert set(condition) == set(self.condition_names)
        rows = torch.cat([condition[name] for name in self.condition_names], dim=1)
        return features * self.factor(rows)[..., None, None]


class Unshuffled(Encoder):
    """Features at half the LR size, and a tail that adds to the interpolated image."""

    feature_dim = 12
    feature_stride = size_multiple = 2
    native_reach = 1

    def extract(self, lr: Tensor, condition: Condition | None = None) -> Tensor:
        return functional.pixel_unshuffle(lr, 2)

    def native_tail(self, scale: int) -> NativeTail:
        return Added([nn.Conv2d(12, 3 * (2 * scale) ** 2, 1), nn.PixelShuffle(2 * scale)])


class Added(NativeTail):
    def forward(self, features: Tensor, lr: Tensor) -> Tensor:
        detail = super().forward(features, lr)[..., : 2 * lr.shape[2], : 2 * lr.shape[3]]
        return detail + functional.interpolate(lr, scale_factor=2, mode='bilinear', align_corners=False)


@pytest.fixture
def model() -> SuperResolver:
    torch.manual_seed(0)
    return SuperResolver(Modulated(), LIIF(4, (8,))).eval()


def query(random: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    coord = torch.rand(2, 30, 2, generator=random) * 2 - 1
    return torch.rand(2, 3, 5, 6, generator=random), coord, cell_of((10, 12), batch=2)


def test_each_image_is_seen_with_its_own_condition(model: SuperResolver, random: torch.Generator) -> None:
    lr, coord, cell = query(random)
    features = model.encoder.head(2 * lr - 1)  # type: ignore[operator]
    factors = model.encoder.factor(torch.tensor([[0.0, 1.5], [0.2, 0.5]]))  # type: ignore[operator]
    modulated = features * factors[..., None, None]
    expected = colors_of(model.decoder, modulated, 2 * lr - 1, coord, cell) / 2 + 0.5
    torch.testing.assert_close(model(lr, coord, cell, condition=ROWS | {'quality': torch.zeros(2, 1)}), expected)


def test_a_network_that_was_told_shares_the_weights(model: SuperResolver, random: torch.Generator) -> None:
    lr, coord, cell = query(random)
    told = model.given(ROWS)
    assert torch.equal(told(lr, coord, cell), model(lr, coord, cell, condition=ROWS))
    assert not torch.allclose(told(lr, coord, cell), model(lr, coord, cell), atol=1e-3)
    assert torch.equal(told.given(None)(lr, coord, cell), model(lr, coord, cell))
    assert [id(weight) for weight in told.parameters()] == [id(weight) for weight in model.parameters()]
    of_one = {name: rows[1:] for name, rows in ROWS.items()}
    torch.testing.assert_close(model.given(of_one).upscale(lr[1:], (9, 11)), told.upscale(lr, (9, 11))[1:])
    # One row for all images.
    second = model.given(of_one)(lr, coord, cell)
    torch.testing.assert_close(second[1], told(lr, coord, cell)[1])


def test_a_missing_part_of_the_condition_is_named(model: SuperResolver) -> None:
    message = (
        'Modulated is conditioned by noise_level, blur_width, and was not told blur_width; it was told noise_level'
    )
    with pytest.raises(ValueError, match=message):
        model.given({'noise_level': ROWS['noise_level']})


def test_an_encoder_that_asks_nothing_is_told_nothing() -> None:
    model = SuperResolver(Unshuffled(), Native(Unshuffled(), 2)).eval()
    lr = torch.rand(1, 3, 5, 6)
    assert torch.equal(model.given(ROWS).upscale(lr, (10, 12)), model.upscale(lr, (10, 12)))


def test_features_of_several_pixels_and_an_interpolation_go_with_the_encoders_own_upsampler() -> None:
    torch.manual_seed(0)
    encoder = Unshuffled()
    model = SuperResolver(encoder, Native(encoder, 2)).eval()
    assert encoder(torch.rand(1, 3, 5, 6)).shape == (1, 12, 3, 3)
    assert model.receptive_field is None
    lr = torch.rand(1, 3, 5, 6)
    normalized = 2 * lr - 1
    picture = model.decoder.tail(encoder.extract_padded(normalized), normalized)  # type: ignore[operator]
    torch.testing.assert_close(model.upscale(lr, (10, 12)), (picture / 2 + 0.5).clamp(0, 1))


def test_other_decoders_refuse_features_of_several_pixels() -> None:
    with pytest.raises(ValueError, match='one feature vector of 2x2 LR pixels .* LIIF needs one for each. Use Native'):
        SuperResolver(Unshuffled(), LIIF(12, (8,)))
