import pytest
import torch

from Models.Decoders.HIIF import HIIF, binary_digits, place_in_pixel
from Models.Decoders.Queries import Queries, View


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
    place = place_in_pixel(
        Queries(torch.stack([inside, above])).neighbors(View(size, inside), local_ensemble=True), size
    )
    expected = torch.tensor([[[0.3, 0.6]], [[1 / 4 + 0.2, 0.6]]], dtype=torch.float64)
    torch.testing.assert_close(place, expected, atol=1e-7, rtol=0)


def test_heads_that_do_not_divide_the_width_are_refused() -> None:
    with pytest.raises(ValueError, match='width must be a multiple of heads, both at least 1, got 256 and 7'):
        HIIF(64, heads=7)
