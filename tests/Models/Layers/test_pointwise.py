import torch
from torch import nn

from Models.Layers.pointwise import pointwise_mlp


def test_it_is_what_1x1_convolutions_make_of_a_picture() -> None:
    random = torch.Generator().manual_seed(0)
    layers = pointwise_mlp(4, [6, 5], 3)
    convolutions = nn.Sequential(nn.Conv2d(4, 6, 1), nn.ReLU(), nn.Conv2d(6, 5, 1), nn.ReLU(), nn.Conv2d(5, 3, 1))
    convolutions.load_state_dict(layers.state_dict())
    picture = torch.randn(2, 4, 3, 7, generator=random)
    expected = convolutions(picture).permute(0, 2, 3, 1)
    torch.testing.assert_close(layers(picture.permute(0, 2, 3, 1)), expected)
