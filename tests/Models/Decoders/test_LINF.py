from typing import Any

import pytest
import torch
from torch import Tensor

from Models.Decoders.LINF import LINF, centers_of, pixels_at
from Models.Decoders.Queries import Queries
from Models.Layers.bilinear import sample_bilinear
from tests.decoding import aimed, colors_of
from Utilities.coordinates import cell_of, coordinates_of, pixel_centers


def _fold(patches: Tensor, rows: int, columns: int) -> Tensor:
    """Patches of 3x3 side by side, as a picture."""
    return torch.nn.functional.fold(patches.transpose(1, 2), (3 * rows, 3 * columns), 3, stride=3)


def test_a_picture_is_made_of_patches_side_by_side() -> None:
    """As the published evaluation does: one patch for the middle of each 3x3 block, then the interpolated image."""
    decoder, ready, coord = _decoder_and_query((12, 14), patch_size=3)
    middles = coordinates_of(pixel_centers(12)[1::3], pixel_centers(14)[1::3]).expand(2, -1, -1)
    textures = decoder.texture(ready, Queries(middles), torch.zeros(2, 20, 27))
    expected = _fold(textures, 4, 5)[..., :14] + torch.nn.functional.interpolate(
        ready.prepared.lr, (12, 14), mode='bilinear'
    )
    picture = decoder.query(ready, Queries(coord)).transpose(1, 2).unflatten(2, (12, 14))
    torch.testing.assert_close(picture, expected, atol=1e-5, rtol=0)


def test_a_last_row_alone_is_the_middle_of_its_patch() -> None:
    decoder, ready, coord = _decoder_and_query((13, 15), patch_size=3)
    row = coord.unflatten(1, (13, 15))[:, -1]
    textures = decoder.texture(ready, Queries(row[:, 1::3]), torch.zeros(2, 5, 27)).unflatten(-1, (3, 3, 3))
    expected = textures[:, :, :, 1].permute(0, 1, 3, 2).flatten(1, 2) + sample_bilinear(ready.prepared.lr, row)
    torch.testing.assert_close(decoder.query(ready, Queries(row)), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize('patch_size', [1, 3])
def test_samples_repeat_by_seed_and_leave_the_global_generator_alone(patch_size: int) -> None:
    decoder, ready, coord = _decoder_and_query((11, 16), patch_size=patch_size, temperature=0.8)
    before = torch.get_rng_state()
    first = decoder.query(ready, Queries(coord))
    assert torch.equal(decoder.query(ready, Queries(coord)), first)
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.isclose(decoder.query(ready._replace(seed=1), Queries(coord)), first).any(dim=-1).all()


def test_own_loss_is_the_negative_likelihood_of_what_is_added_to_the_interpolated_image() -> None:
    decoder, ready, coord = _decoder_and_query((11, 16))
    hr = torch.rand(2, coord.shape[1], 3, generator=torch.Generator().manual_seed(1))
    likelihood = decoder.log_likelihood(ready, Queries(coord), hr - sample_bilinear(ready.prepared.lr, coord))
    torch.testing.assert_close(decoder.own_loss(ready, Queries(coord), hr), -likelihood.mean())


def test_own_loss_of_patches_ignores_what_lies_beyond_the_picture() -> None:
    decoder, ready, coord = _decoder_and_query((12, 9), patch_size=3)
    picture = torch.randn(2, 3, 12, 9)
    skip = torch.nn.functional.interpolate(ready.prepared.lr, (12, 9), mode='bilinear')

    def patches(around: Tensor) -> Tensor:
        return torch.nn.functional.unfold(around, 3).transpose(1, 2)

    # The published training: patches of the texture, zero beyond the picture.
    texture = patches(torch.nn.functional.pad(picture - skip, (1, 1, 1, 1)))
    expected = -decoder.log_likelihood(ready, Queries(coord), texture).mean()
    hr = patches(torch.nn.functional.pad(picture, (1, 1, 1, 1), value=float('nan')))
    torch.testing.assert_close(decoder.own_loss(ready, Queries(coord), hr), expected)


@pytest.mark.parametrize('patch_size', [1, 3])
def test_gradient_reaches_every_parameter(patch_size: int) -> None:
    # At temperature 0 the last linear layer of a fresh flow maps 0 to 0, whatever its weights.
    decoder, ready, coord = _decoder_and_query((11, 16), patch_size=patch_size, temperature=0.5)
    hr = torch.randn(2, 11 * 16, decoder.texture_dim)
    loss = decoder.own_loss(ready, Queries(coord), hr)
    colors = decoder.query(ready, Queries(coord)).square().sum()
    for objective in (loss, colors):
        decoder.zero_grad()
        objective.backward(retain_graph=True)
        assert all(parameter.grad is not None and parameter.grad.any() for parameter in decoder.parameters())


def test_samples_of_a_batch_with_several_scales_belong_to_their_images() -> None:
    """In training, each image of a batch has its own cell."""
    decoder, features, lr = LINF(4, 8, (12, 10), 2, patch_size=3), torch.randn(2, 4, 5, 6), torch.randn(2, 3, 5, 6)
    coord = torch.stack([coordinates_of(pixel_centers(n), pixel_centers(n))[:60] for n in (8, 13)])
    cell = torch.cat([cell_of((n, n)) for n in (8, 13)])
    both = colors_of(decoder, features, lr, coord, cell)
    for image in (0, 1):
        only = slice(image, image + 1)
        alone = colors_of(decoder, features[only], lr[only], coord[only], cell[only])
        torch.testing.assert_close(alone, both[only], atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    'options', [{'hidden_dim': 15}, {'patch_size': 2}, {'patch_size': 0}, {'flow_layers': 0}, {'temperature': -0.1}]
)
def test_impossible_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        LINF(4, **options)


@pytest.mark.parametrize(('count', 'scale'), [(1, 1), (97, 2), (1356, 3), (4093, 4)])
def test_pixels_and_their_centers_agree(count: int, scale: int) -> None:
    cell = cell_of((count, count * scale))
    pixel = torch.stack([torch.arange(count), scale * torch.arange(count)], dim=-1)[None]
    coord = torch.stack([pixel_centers(count), pixel_centers(count * scale)[::scale]], dim=-1)[None]
    assert torch.equal(pixels_at(coord, cell), pixel)
    torch.testing.assert_close(centers_of(pixel, cell), coord, atol=1e-6, rtol=0)


def _decoder_and_query(size: tuple[int, int], **options: Any) -> tuple[LINF, Any, Tensor]:
    """With what it knows of images and the size, and the coordinates of all pixels."""
    torch.manual_seed(0)
    decoder = LINF(4, 8, (12, 10), 2, **options)
    ready = aimed(decoder, torch.randn(2, 4, 5, 6), torch.randn(2, 3, 5, 6), cell_of(size, batch=2))
    return decoder, ready, coordinates_of(pixel_centers(size[0]), pixel_centers(size[1])).expand(2, -1, -1)
