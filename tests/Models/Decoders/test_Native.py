from typing import Any

import pytest
import torch

from Models import DecoderType, EncoderType
from Models.build import build_super_resolver
from Models.SuperResolver import SuperResolver

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


@pytest.mark.parametrize('scale', [2, 3, 4])
@pytest.mark.parametrize(('encoder', 'options'), SMALL)
@torch.inference_mode()
def test_chunks_are_pieces_of_the_upsampled_picture(encoder: EncoderType, options: dict[str, Any], scale: int) -> None:
    model = native(encoder, options, scale=scale)
    lr = torch.rand(2, 3, 5, 6)
    tail = model.decoder.tail
    assert isinstance(tail, torch.nn.Module)
    picture = tail(model.encoder.extract_padded(lr * 2 - 1), lr * 2 - 1)[..., : 5 * scale, : 6 * scale]
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
