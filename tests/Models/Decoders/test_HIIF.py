import json
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from Models import DecoderType, EncoderType
from Models.build import build_super_resolver
from Models.Decoders.HIIF import HIIF, binary_digits, place_in_pixel
from Models.Decoders.local_ensemble import find_neighbors
from Models.SuperResolver import SuperResolver

REFERENCES = Path(__file__).parents[2] / 'references'
UNUSED = re.compile(r'encoder\.(sub_mean|add_mean)\.(weight|bias)')


def read(name: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    with np.load(REFERENCES / f'{name}.npz', allow_pickle=False) as file:
        meta = json.loads(str(file['meta']))
        return {key: torch.from_numpy(file[key]) for key in file.files if key != 'meta'}, meta


def official_name(key: str) -> str:
    return key.removeprefix('decoder.')


def recipe_value(key: str, shape: tuple[int, ...], weights: dict[str, Any]) -> Tensor:
    """A full-size fixture's weight, by the recipe in its meta."""
    seed = zlib.crc32(f'{weights["seed"]}:{key}'.encode())
    normal = np.random.RandomState(seed).standard_normal(int(np.prod(shape))).reshape(shape)
    if not key.endswith('.weight'):
        value = 0.05 * normal
    elif len(shape) == 1 or key.endswith(('kln.weight', 'vln.weight')):
        value = 1 + 0.1 * normal
    else:
        value = weights['gain'] * normal / np.sqrt(np.prod(shape[1:]))
    return torch.from_numpy(value.astype(np.float32))


def assert_equals_reference(model: SuperResolver, arrays: dict[str, Tensor], meta: dict[str, Any]) -> None:
    model.eval()
    image, expected = arrays['input/inp'], arrays['output/rgb']
    with torch.inference_mode():
        features = model.encoder(image)
        context = model.decoder.prepare(features, image)
        colors = model.decoder.query(context, arrays['input/coord'].flatten(1, 2), arrays['input/cell'])
    found = colors.transpose(1, 2).unflatten(2, expected.shape[2:])
    torch.testing.assert_close(found, expected, atol=meta['suggested_atol']['output/rgb'], rtol=0)
    torch.testing.assert_close(features, arrays['output/feat'], atol=meta['suggested_atol']['output/feat'], rtol=0)


def test_small_network_equals_the_published_one() -> None:
    arrays, meta = read('hiif')
    state = {key.removeprefix('state/'): value for key, value in arrays.items() if key.startswith('state/')}
    unused = {key for key in state if UNUSED.fullmatch(key)}
    assert unused <= set(meta['float_keys_without_effect'])
    options = {'width': 16, 'heads': 4}
    model = build_super_resolver(EncoderType.EDSR, DecoderType.HIIF, {'n_resblocks': 2, 'n_feats': 8}, options)
    model.load_state_dict(
        {key if key.startswith('encoder') else f'decoder.{key}': state[key] for key in state.keys() - unused}
    )
    assert_equals_reference(model, arrays, meta)


def test_full_size_network_equals_the_published_one() -> None:
    arrays, meta = read('fullsize_edsr_hiif')
    model = build_super_resolver(EncoderType.EDSR, DecoderType.HIIF)
    model.load_state_dict(
        {
            key: recipe_value(official_name(key), tuple(value.shape), meta['weights'])
            for key, value in model.state_dict().items()
        }
    )
    assert_equals_reference(model, arrays, meta)


def random_case(dtype: torch.dtype) -> tuple[HIIF, Any, Tensor, Tensor]:
    random = torch.Generator().manual_seed(0)
    decoder = HIIF(5, width=8, heads=2).to(dtype)
    features, lr = (torch.randn(2, dim, 6, 7, generator=random, dtype=dtype) for dim in (5, 3))
    coord = torch.rand(2, 250, 2, generator=random, dtype=dtype) * 2 - 1
    cell = torch.rand(2, 2, generator=random, dtype=dtype)
    return decoder, decoder.prepare(features, lr), coord, cell


@pytest.mark.parametrize(('dtype', 'tolerance'), [(torch.float64, 1e-12), (torch.float32, 2e-6)])
def test_chunked_query_equals_whole(dtype: torch.dtype, tolerance: float) -> None:
    decoder, context, coord, cell = random_case(dtype)
    whole = decoder.query(context, coord, cell)
    assert whole.dtype is dtype
    for per_chunk in (1, 7, 100, 250):
        chunks = coord.split(per_chunk, dim=1)
        pieces = list(decoder.query_in_chunks(context, chunks, cell))
        assert [piece.shape[1] for piece in pieces] == [chunk.shape[1] for chunk in chunks]
        torch.testing.assert_close(torch.cat(pieces, dim=1), whole, atol=tolerance, rtol=0)
    # What a chunk answers alone is another matter, so the above is no accident.
    alone = torch.cat([decoder.query(context, chunk, cell) for chunk in coord.split(7, dim=1)], dim=1)
    assert (alone - whole).abs().max() > 1e-4


@pytest.mark.parametrize('size', [(24, 28), (17, 33), (5, 7), (3, 40)])
def test_chunked_upscaling_equals_whole(size: tuple[int, int]) -> None:
    """Integer, fractional and anisotropic scales, and sizes smaller than the input."""
    options = {'width': 8, 'heads': 2}
    model = build_super_resolver(EncoderType.EDSR, DecoderType.HIIF, {'n_resblocks': 1, 'n_feats': 8}, options)
    lr = torch.rand(2, 3, 6, 7, generator=torch.Generator().manual_seed(0))
    whole = model.upscale(lr, size, queries_per_chunk=10**6)
    assert whole.shape == (2, 3, *size)
    for per_chunk in (7, size[1], 100):
        torch.testing.assert_close(model.upscale(lr, size, queries_per_chunk=per_chunk), whole, atol=2e-6, rtol=0)


def test_each_image_of_a_batch_answers_for_itself() -> None:
    decoder, context, coord, cell = random_case(torch.float64)
    together = decoder.query(context, coord, cell)
    second = context._replace(features=context.features[1:], lr=context.lr[1:])
    torch.testing.assert_close(decoder.query(second, coord[1:], cell[1:]), together[1:], atol=1e-12, rtol=0)


def test_gradient_reaches_every_parameter() -> None:
    random = torch.Generator().manual_seed(0)
    decoder = HIIF(5, width=8, heads=2)
    features, lr = (torch.randn(1, dim, 6, 7, generator=random, requires_grad=True) for dim in (5, 3))
    coord = torch.rand(1, 100, 2, generator=random) * 2 - 1
    answers = decoder.query(decoder.prepare(features, lr), coord, torch.full((1, 2), 0.1))
    answers.square().sum().backward()
    for name, parameter in [('features', features), ('lr', lr), *decoder.named_parameters()]:
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


def test_the_place_is_told_bit_by_bit() -> None:
    """0.7 is 0.101100... in binary, 0.3 is 0.010011..."""
    place = torch.tensor([[[0.7, 0.3]]])
    digits = torch.stack([binary_digits(place, level)[0, 0] for level in range(6)])
    assert digits.T.tolist() == [[1, 0, 1, 1, 0, 0], [0, 1, 0, 0, 1, 1]]


def test_the_place_is_the_offset_from_the_upper_left_neighbor_or_the_published_oddity() -> None:
    """In the middle of a 4x5 image it is 0 to 1 between centres; above the first row's centre 1/4 minus the offset."""
    size = (4, 5)
    centers = torch.tensor([[-0.75, 0.0]], dtype=torch.float64)  # row 0, column 2
    inside = centers + torch.tensor([[0.3 * 2 / 4, 0.6 * 2 / 5]])
    above = centers + torch.tensor([[-0.2 * 2 / 4, 0.6 * 2 / 5]])
    place = place_in_pixel(find_neighbors(torch.stack([inside, above]), size, local_ensemble=True), size)
    expected = torch.tensor([[[0.3, 0.6]], [[1 / 4 + 0.2, 0.6]]], dtype=torch.float64)
    torch.testing.assert_close(place, expected, atol=1e-7, rtol=0)


def test_parameter_count_is_the_published_one() -> None:
    """Convolution, an MLP with layer norm at six levels (1028 and 258 inputs), two attention layers: 1.735 M."""
    levels = [(4 * 256 + 4, 256), *[(256 + 2, 256)] * 4, (256 + 2, 3)]
    mlps = sum(2 * dim_in + (dim_in + 1) * 256 + (256 + 1) * dim_out for dim_in, dim_out in levels)
    attention = (256 + 1) * (3 + 1 + 1) * 256 + 2 * 2 * 16
    by_hand = (9 * 64 + 1) * 256 + mlps + 2 * attention
    assert sum(parameter.numel() for parameter in HIIF(64).parameters()) == by_hand
    assert by_hand == pytest.approx(1_735_000, rel=1e-3)


def test_heads_that_do_not_divide_the_width_are_refused() -> None:
    with pytest.raises(ValueError, match='width must be a multiple of heads, both at least 1, got 256 and 7'):
        HIIF(64, heads=7)
