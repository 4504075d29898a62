import pytest
import torch
from torch import Tensor
from torch.nn import functional

from Models.Layers.CrossScaleAttention import CrossScaleAttention

FLOAT = torch.float64


def plain_attention(layer: CrossScaleAttention, features: Tensor, scale: int) -> Tensor:
    """One image, position by position, patches cut and pasted with loops."""
    height, width = features.shape[1:]
    padded = functional.pad(features[None], (0, -width % scale, 0, -height % scale), mode='reflect')
    h, w = padded.shape[2:]
    matched = functional.pad(layer.conv_match_1(padded)[0], (1, 1, 1, 1))
    # Half-pixel centers: at scale 3 the middle pixel, at 2 and 4 the mean of the middle two by two.
    low, high = (scale - 1) // 2, scale // 2
    small = (
        padded[0, :, low::scale, low::scale]
        + padded[0, :, low::scale, high::scale]
        + padded[0, :, high::scale, low::scale]
        + padded[0, :, high::scale, high::scale]
    ) / 4
    small = functional.pad(layer.conv_match_2(small[None])[0], (1, 1, 1, 1))
    total = 2 * scale  # (h / s - 1) s + 3 s - h, for any h that s divides
    source = functional.pad(layer.conv_assembly(padded)[0], (total // 2, total - total // 2) * 2)
    places = [(row, column) for row in range(h // scale) for column in range(w // scale)]
    keys = torch.stack([small[:, y : y + 3, x : x + 3].flatten() for y, x in places])
    keys = keys / keys.norm(dim=1, keepdim=True).clamp(min=1e-4)
    side = 3 * scale
    patches = torch.stack([source[:, y * scale : y * scale + side, x * scale : x * scale + side] for y, x in places])
    canvas = torch.zeros(features.shape[0], h * scale + 2 * scale, w * scale + 2 * scale, dtype=FLOAT)
    for y in range(h):
        for x in range(w):
            share = (10 * keys @ matched[:, y : y + 3, x : x + 3].flatten()).softmax(dim=0)
            pasted = (share[:, None, None, None] * patches).sum(dim=0)
            canvas[:, y * scale : y * scale + side, x * scale : x * scale + side] += pasted
    large = canvas[:, scale:-scale, scale:-scale]
    down = layer.get_submodule({2: 'down', 3: 'downx3', 4: 'downx4'}[scale])
    return down(large[None])[0, :, :height, :width] / 6


@pytest.mark.parametrize(('scales', 'size'), [((2,), (7, 6)), ((3,), (7, 6)), ((4,), (9, 8)), ((2, 3, 4), (6, 7))])
def test_attention_equals_the_plain_algorithm(scales: tuple[int, ...], size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    layer = CrossScaleAttention(4, scales).double()
    features = torch.randn(2, 4, *size, dtype=FLOAT)
    with torch.inference_mode():
        plain = torch.stack(
            [torch.cat([plain_attention(layer, image, scale) for scale in scales]) for image in features]
        )
        torch.testing.assert_close(layer(features), plain, atol=1e-12, rtol=0)


def test_pictures_too_small_to_reflect_are_taken() -> None:
    layer = CrossScaleAttention(4, (4,))
    assert layer(torch.rand(1, 4, 1, 2)).isfinite().all()


@pytest.mark.parametrize('scales', [(), (5,), (2, 2)])
def test_unknown_scales_are_refused(scales: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match='scales must be one or more'):
        CrossScaleAttention(4, scales)
