"""How far each network looks, measured: one pixel is changed, and the answers that change are found.

In float64, as the far end of a deep network's view weighs little.
"""

from typing import Any

import pytest
import torch
from torch import Tensor

from Models import DecoderType, EncoderType
from Models.Decoders.Decoder import Decoder
from Models.Encoders.Encoder import Encoder
from tests.decoding import colors_of
from tests.tiny_networks import ENCODERS, tiny
from Utilities.coordinates import cell_of, coordinates_of, pixel_centers
from Utilities.find_class import find_class

SIDE, CENTER = 31, 15
"""LR pixels; a finite view must end within."""

FIRST, LAST = 5, 29
"""A crop that starts neither with a window nor with a patch: LR pixels in both directions, the last one not in it."""

SOME_MARGIN = 8
"""LR pixels that are not enough for networks that state none; more than enough for the others here."""

ENCODER_VIEWS: list[tuple[str, dict[str, Any], int | None]] = [
    # Two convolutions per block, one before and one after.
    ('EDSR', {'n_resblocks': 0}, 2),
    ('EDSR', {'n_resblocks': 3}, 8),
    # One convolution per dense layer, three around them.
    ('RDN', {'D': 2, 'C': 2}, 3 + 4),
    ('RDN', {'D': 1, 'C': 3}, 3 + 3),
    ('RDN', {'D': 1, 'C': 2, 'kernel_size': 5}, 3 * 2 + 2),
    # Means over the image, unless there is no block with them.
    ('RCAN', {'n_resgroups': 1, 'n_resblocks': 1}, None),
    ('RCAN', {'n_resgroups': 2, 'n_resblocks': 0}, 4),
    # Windows lie where the image begins.
    ('SwinIR', {}, None),
]

DECODER_VIEWS: list[tuple[str, dict[str, Any], int | None]] = [
    # One pixel for the neighbors of the local ensemble, one for their 3x3 features.
    ('LIIF', {}, 2),
    ('LIIF', {'feat_unfold': False}, 1),
    ('LIIF', {'local_ensemble': False}, 1),
    ('LIIF', {'local_ensemble': False, 'feat_unfold': False}, 0),
    # One pixel as a corner of the HR pixel may lie on the next one, one for the 3x3 filter.
    ('MetaSR', {}, 2),
    ('LTE', {}, 2),
    ('LTE', {'plus': True}, 2),
    ('LINF', {}, 2),
    # Noise and patches are counted from the picture's corner.
    ('LINF', {'temperature': 0.5}, None),
    ('LINF', {'patch_size': 3}, None),
    # A convolution at LR, and smaller ones at HR.
    ('Native', {'scale': 2}, 2),
    ('Native', {'scale': 3}, 2),
    ('Native', {'scale': 4}, 2),
    ('Native', {'scale': 8}, 2),
    # Means over all queries.
    ('SRNO', {}, None),
    ('HIIF', {}, None),
    # The attention over the whole image, and the step to a neighbor, which depends on the image's size.
    ('CiaoSR', {}, None),
    ('CiaoSR', {'non_local_attn': False}, None),
    # Two convolutions around a window.
    ('CLIT', {'stages': 1, 'r': 0}, 2),
    ('CLIT', {'stages': 1, 'r': 3}, 5),
    # The sizes of later stages' maps follow from the picture's.
    ('CLIT', {'stages': 2}, None),
]
"""Network, options besides the tiny ones, LR pixels to each side; None: no crop gives the same."""

Images = tuple[Tensor, Tensor]
"""Features and the LR image."""


def members_of(views: list[tuple[str, dict[str, Any], int | None]], kind: Any) -> list[Any]:
    return [
        pytest.param(name, options, view, id=f'{name}-{options}')
        for name, options, view in views
        if name in kind.__members__
    ]


def build_encoder(name: str, options: dict[str, Any]) -> Encoder:
    torch.manual_seed(0)
    return find_class(EncoderType[name], 'Models.Encoders')(**(ENCODERS.get(name, {}) | options)).double().eval()


def build_decoder(name: str, options: dict[str, Any]) -> Decoder[Any, Any]:
    return tiny(EncoderType.EDSR, DecoderType[name], **options).double().decoder


def random_images() -> Images:
    random = torch.Generator().manual_seed(0)
    features, lr = (torch.randn(1, dim, SIDE, SIDE, generator=random, dtype=torch.float64) for dim in (8, 3))
    return features, lr


def scale_of(decoder: Decoder[Any, Any]) -> int:
    return getattr(decoder, 'scale', 4)


def pixels_of(side: int, scale: int, margin: int = 0) -> Tensor:
    """Centres of all HR pixels in the LR pixels that are `margin` away from the border."""
    centers = pixel_centers(side * scale, dtype=torch.float64)[margin * scale : (side - margin) * scale]
    return coordinates_of(centers, centers)[None]


def coordinates_inside(decoder: Decoder[Any, Any], margin: int) -> Tensor:
    """Anywhere in the LR pixels that are `margin` away from the border; of `Native`, all its pixels there."""
    if hasattr(decoder, 'scale'):
        return pixels_of(SIDE, decoder.scale, margin)
    random = torch.Generator().manual_seed(1)
    thousandths = torch.randint(margin * 1000, (SIDE - margin) * 1000, (1, 3000, 2), generator=random).double()
    # On no border or centre: which pixel is nearest there, the networks decide by parts of the picture's width.
    return 2 * (thousandths + 0.3) / 1000 / SIDE - 1


@torch.inference_mode()
def answers(decoder: Decoder[Any, Any], images: Images, coord: Tensor, first: int = 0, last: int = SIDE) -> Tensor:
    """Colors given the crop of LR pixels `first` to `last` - 1 as a picture of its own.

    All the picture's pixels are asked for too, as some networks take notice of what is asked for.
    """
    features, lr = (image[..., first:last, first:last] for image in images)
    part, middle = (last - first) / SIDE, (first + last) / SIDE - 1
    pixels = pixels_of(last - first, scale_of(decoder))
    cell = cell_of(((last - first) * scale_of(decoder),) * 2, dtype=torch.float64)
    asked = torch.cat([(coord - middle) / part, pixels], dim=1)
    return colors_of(decoder, features, lr, asked, cell)[:, : coord.shape[1]]


def with_center_changed(image: Tensor) -> Tensor:
    changed = image.clone()
    changed[..., CENTER, CENTER] += 1
    return changed


@pytest.mark.parametrize(('name', 'options', 'view'), members_of(ENCODER_VIEWS, EncoderType))
@torch.inference_mode()
def test_encoders_look_as_far_as_they_state(name: str, options: dict[str, Any], view: int | None) -> None:
    encoder = build_encoder(name, options)
    assert encoder.receptive_field == view
    lr = random_images()[1]
    whole = encoder(lr)
    if view is not None:
        changes = (encoder(with_center_changed(lr)) != whole).any(dim=1)[0].nonzero()
        assert (changes - CENTER).abs().max() == view
    margin = SOME_MARGIN if view is None else view
    crop = encoder(lr[..., FIRST:LAST, FIRST:LAST])[..., margin:-margin, margin:-margin]
    inner = slice(FIRST + margin, LAST - margin)
    assert ((crop - whole[..., inner, inner]).abs().max() < 1e-12) == (view is not None)


@pytest.mark.parametrize(('name', 'options', 'view'), members_of(DECODER_VIEWS, DecoderType))
def test_decoders_look_as_far_as_they_state(name: str, options: dict[str, Any], view: int | None) -> None:
    decoder = build_decoder(name, options)
    assert decoder.facts.receptive_field == view
    features, lr = random_images()
    if view is not None:
        coord = coordinates_inside(decoder, CENTER - SOME_MARGIN)
        changed = answers(decoder, (with_center_changed(features), with_center_changed(lr)), coord)
        differs = (changed != answers(decoder, (features, lr), coord)).any(dim=2)
        pixel = ((coord[differs] + 1) / 2 * SIDE).floor()
        assert (pixel - CENTER).abs().max() == view
    coord = coordinates_inside(decoder, FIRST + (SOME_MARGIN if view is None else view))
    crop, whole = answers(decoder, (features, lr), coord, FIRST, LAST), answers(decoder, (features, lr), coord)
    assert ((crop - whole).abs().max() < 1e-12) == (view is not None)


@pytest.mark.parametrize('decoder', DecoderType)
def test_a_crop_with_this_margin_is_upscaled_as_in_the_whole(decoder: DecoderType) -> None:
    model = tiny(EncoderType.EDSR, decoder).double()
    margin = model.receptive_field
    if margin is None:
        assert model.decoder.facts.receptive_field is None
        return
    assert margin == 4 + model.decoder.facts.receptive_field
    lr = 0.2 + 0.6 * torch.sigmoid(random_images()[1])
    whole = model.upscale(lr, (2 * SIDE, 2 * SIDE))
    crop = model.upscale(lr[..., 3:-2, 5:], (2 * SIDE - 10, 2 * SIDE - 10))
    inner = slice(2 * margin, -2 * margin)
    torch.testing.assert_close(crop[..., inner, inner], whole[..., 6:-4, 10:][..., inner, inner], atol=1e-12, rtol=0)


def test_a_pair_with_an_encoder_that_sees_everything_sees_everything() -> None:
    assert tiny(EncoderType.RCAN, DecoderType.LIIF).receptive_field is None


def test_every_stated_limit_is_measured() -> None:
    for encoder in {member.name for member in EncoderType} - {name for name, _, _ in ENCODER_VIEWS}:
        assert tiny(EncoderType[encoder], DecoderType.LIIF).encoder.receptive_field is None, encoder
    for decoder in {member.name for member in DecoderType} - {name for name, _, _ in DECODER_VIEWS}:
        assert tiny(EncoderType.EDSR, DecoderType[decoder]).decoder.facts.receptive_field is None, decoder
