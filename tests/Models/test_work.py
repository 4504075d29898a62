"""Work and memory are what the formulas say, counted instead of timed: published sizes, ours and the plain form."""

from typing import Any

import pytest
import torch
from torch import Tensor

from Models import DecoderType
from Models.Decoders.Decoder import Decoder
from Models.Decoders.Queries import GridQueries, Queries
from Orchestrators.benchmark import naive
from tests.counting import multiply_adds, peak_bytes
from tests.decoding import aimed
from Utilities.coordinates import cell_of, coordinates_of, pixel_centers
from Utilities.find_class import find_class

C, D = 64, 256
LR = 6

GALERKIN = 16 * 16 * 16
"""16 heads, for each the outer product of 16 channels of key and value."""

PLAIN = {
    'LIIF': 4 * ((9 * C + 4) * D + 3 * D**2 + 3 * D),
    'LTE': 4 * (D + 3 * D**2 + 3 * D),
    'MetaSR': 3 * D + D * 27 * C + 27 * C,
    'LINF': 4 * D * D + 2 * D**2 + D * 60,
    'SRNO': (4 * (C + 2) + 2) * D + 2 * (3 * D**2 + 2 * GALERKIN + 2 * D**2) + D * 256 + 256 * 3,
    'HIIF': (4 * D + 4) * 256 + 256 * D
    + 2 * (3 * D**2 + 2 * GALERKIN + 2 * D**2)
    + 5 * (D + 2) * 256 + 4 * 256 * D + 256 * 3,
    'CiaoSR': 4 * ((9 * C + 4) * D + 3 * D**2 + D * 9 * C)
    + 4 * ((10 * C + 4) * D + 3 * D**2 + D * 10 * C)
    + (10 * C) * D + 3 * D**2 + 3 * D,
    'CLIT': (49 * D + 2) * D + 3 * D**2 + 3 * D + 49 * 64 * 8,
}  # fmt: skip
"""Multiply-adds per HR pixel, layer by layer as published."""

OURS = {
    # The first layer but for the offsets went to the LR pixels; the cell's share is multiplied by 1 beside them, which
    # spares a second table.
    'LIIF': 4 * (3 * D**2 + 6 * D),
    # The hidden layer, then what the LR pixel reads it with, for each color.
    'MetaSR': 3 * D + 3 * D,
    # The same, and 3x3 matrices of the flow, which the plain form solves for.
    'LINF': 4 * D * D + 2 * D**2 + D * 60 + 11 * 9,
    # Offsets; keys, values and their products; the attention and the mixer in one; the second mixer; two layers.
    'SRNO': 8 * D + 2 * (2 * D**2 + GALERKIN + 2 * D**2) + D * 256 + 256 * 3,
    'HIIF': 4 * 256 + 256 * D + 2 * (2 * D**2 + GALERKIN + 2 * D**2) + 5 * (D + 2) * 256 + 4 * 256 * D + 256 * 3,
    # The first layers but for offset and cell went to the LR pixels.
    'CiaoSR': 4 * (4 * D + 3 * D**2 + D * 9 * C) + 4 * (4 * D + 3 * D**2 + D * 10 * C) + 10 * C * D + 3 * D**2 + 3 * D,
    # Comparison with the window; 49 pixels times 8 heads weigh what the first layer makes of them; the other layers;
    # the bias, for rows and columns.
    'CLIT': 49 * D + 49 * 8 * D + 3 * D**2 + 3 * D + 2 * 7 * 32 * 8,
}
"""What is left per HR pixel; what is done per LR pixel and per window is not in it."""


def case(name: str, dtype: torch.dtype = torch.float64) -> tuple[Decoder[Any, Any], list[Tensor]]:
    torch.manual_seed(0)
    decoder = find_class(DecoderType[name], 'Models.Decoders')(C).to(dtype)
    return decoder, [torch.rand(1, dim, LR, LR, dtype=dtype) for dim in (C, 3)]


def grid(scale: int, dtype: torch.dtype = torch.float64) -> Tensor:
    centers = pixel_centers(LR * scale, dtype=dtype)
    return coordinates_of(centers, centers)[None]


def per_pixel(action: Any) -> float:
    """What a pixel more costs, so that what is done once per image or LR pixel drops out."""
    few, many = (multiply_adds(lambda scale=scale: action(grid(scale))) for scale in (4, 5))
    return (many - few) / (LR**2 * (5**2 - 4**2))


@pytest.mark.parametrize('name', PLAIN)
@torch.inference_mode()
def test_the_plain_form_multiplies_as_published(name: str) -> None:
    decoder, inputs = case(name)
    cell = cell_of((LR * 4, LR * 4), dtype=torch.float64)
    assert per_pixel(lambda coord: naive.query(decoder, *inputs, coord, cell)) == PLAIN[name]


@pytest.mark.parametrize('name', OURS)
@torch.inference_mode()
def test_ours_multiplies_less(name: str) -> None:
    decoder, inputs = case(name)
    ready = aimed(decoder, *inputs, cell_of((LR * 4, LR * 4), dtype=torch.float64))
    assert per_pixel(lambda coord: decoder.query(ready, Queries(coord))) == OURS[name]


@torch.inference_mode()
def test_the_formulas_are_those_of_the_design() -> None:
    """1.38 and 0.79 million for LIIF."""
    assert round(PLAIN['LIIF'] / 1e6, 2) == 1.38
    assert round(OURS['LIIF'] / 1e6, 2) == 0.79


@torch.inference_mode()
def test_lte_multiplies_no_more_than_published() -> None:
    """Only the phase, and the last layer after the blend instead of before it, can be spared."""
    decoder, inputs = case('LTE')
    ready = aimed(decoder, *inputs, cell_of((LR * 4, LR * 4), dtype=torch.float64))
    assert 12 * D**2 + 3 * D <= per_pixel(lambda coord: decoder.query(ready, Queries(coord))) <= PLAIN['LTE']


@pytest.mark.parametrize('name', PLAIN)
@torch.inference_mode()
def test_a_picture_takes_less_than_a_quarter_of_the_plain_forms_memory(name: str) -> None:
    """Beyond features and image, which both are given."""
    side, scale = {'CLIT': 20, 'CiaoSR': 28}.get(name, 32), 4
    torch.manual_seed(0)
    decoder = find_class(DecoderType[name], 'Models.Decoders')(C)
    features, lr = (torch.rand(1, dim, side, side) for dim in (C, 3))
    centers, cell = pixel_centers(side * scale), cell_of((side * scale, side * scale))
    coord = coordinates_of(centers, centers)[None]

    def ours() -> Tensor:
        result = torch.empty(1, len(centers) ** 2, 3)
        position = 0
        for colors in decoder.query_in_pieces(aimed(decoder, features, lr, cell), GridQueries(centers, centers), 2048):
            result[:, position : position + colors.shape[1]] = colors
            position += colors.shape[1]
        return result

    plain = peak_bytes(lambda: torch.cat(list(naive.query_in_chunks(decoder, features, lr, coord, cell)), dim=1))
    assert plain > 10 * coord.nbytes
    assert peak_bytes(ours) < plain / 4
