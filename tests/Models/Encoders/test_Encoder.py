import pytest
import torch
from torch import Tensor
from torch.nn import functional

from Models.Encoders.Encoder import Condition, Encoder, mirror_to_multiple


class Recording(Encoder):
    """Features are the image itself; what `extract` was given is kept."""

    feature_dim = 3

    def __init__(self, size_multiple: int) -> None:
        super().__init__()
        self.size_multiple = size_multiple
        self.seen: list[Tensor] = []

    def extract(self, lr: Tensor, condition: Condition | None = None) -> Tensor:
        self.seen.append(lr)
        return lr


def image(height: int, width: int) -> Tensor:
    return torch.arange(3.0 * height * width).reshape(1, 3, height, width)


@pytest.mark.parametrize('size', [(7, 9), (5, 8), (8, 5)])
def test_padding_is_reflection(size: tuple[int, int]) -> None:
    expected = functional.pad(image(*size), (0, -size[1] % 4, 0, -size[0] % 4), mode='reflect')
    assert torch.equal(mirror_to_multiple(image(*size), 4), expected)


def test_an_image_smaller_than_its_padding_is_mirrored_back_and_forth() -> None:
    row = torch.tensor([1.0, 2.0, 3.0]).expand(1, 1, 1, 3)
    padded = mirror_to_multiple(row, 8)
    assert padded.shape == (1, 1, 8, 8)
    assert padded[0, 0, 5].tolist() == [1, 2, 3, 2, 1, 2, 3, 2]


def test_features_are_cropped_back_to_the_image() -> None:
    encoder = Recording(4)
    assert torch.equal(encoder(image(5, 6)), image(5, 6))
    assert encoder.seen[0].shape == (1, 3, 8, 8)
    assert encoder.extract_padded(image(5, 6)).shape == (1, 3, 8, 8)


def test_a_multiple_is_not_padded() -> None:
    encoder = Recording(4)
    lr = image(8, 12)
    encoder(lr)
    assert encoder.seen[0] is lr


def test_an_encoder_without_an_upsampler_says_so() -> None:
    with pytest.raises(ValueError, match=r'Recording has no upsampler of its own \(asked for scale 2\)'):
        Recording(1).native_tail(2)
