import pytest
import torch
from torch import Tensor
from torch.nn import functional

from Models.Decoders.Queries import GridQueries, Queries, View
from Models.Layers.local_ensemble import Neighbors, gather_pixels
from Utilities.coordinates import Crop, pixel_centers


def around(coord: Tensor, lr_size: tuple[int, int]) -> Neighbors:
    return Queries(coord).neighbors(View(lr_size, torch.ones(len(coord), 2)), local_ensemble=True)


def test_shares_are_those_of_bilinear_interpolation() -> None:
    """A quarter of an LR pixel below and right of the centre of pixel (1, 1), the shares are 9/16, 3/16, 3/16, 1/16."""
    centers = pixel_centers(4, dtype=torch.float64)
    coord = (centers[1] + 0.25 * 2 / 4).expand(1, 1, 2)
    neighbors = around(coord, (4, 4))
    assert neighbors.pixel[:, 0, 0].tolist() == [1 * 4 + 1, 1 * 4 + 2, 2 * 4 + 1, 2 * 4 + 2]
    expected = torch.tensor([9, 3, 3, 1], dtype=torch.float64) / 16
    torch.testing.assert_close(neighbors.weight[:, 0, 0], expected, atol=1e-8, rtol=0)
    # Offsets in units where an LR pixel is 2: half of one from the nearest centre.
    torch.testing.assert_close(neighbors.offset[0, 0, 0], torch.tensor([0.5, 0.5], dtype=torch.float64))


def test_shares_add_up_to_1_everywhere(random: torch.Generator) -> None:
    coord = torch.rand(2, 500, 2, generator=random) * 2 - 1
    neighbors = around(coord, (7, 5))
    torch.testing.assert_close(neighbors.weight.sum(dim=0), torch.ones(2, 500))


def test_neighbors_are_those_that_grid_sample_finds(random: torch.Generator) -> None:
    """The published networks look up with grid_sample; ours index, and must agree on every tie."""
    for size, hr_size in (((7, 5), (21, 15)), ((6, 8), (12, 24)), ((4, 4), (11, 9))):
        rows, columns = pixel_centers(hr_size[0]), pixel_centers(hr_size[1])
        grid = torch.stack(torch.meshgrid(rows, columns, indexing='ij'), dim=-1).flatten(0, 1)[None]
        index = torch.arange(size[0] * size[1]).view(1, 1, *size).float()
        found = around(grid, size).pixel
        for number, (dy, dx) in enumerate([(-1, -1), (-1, 1), (1, -1), (1, 1)]):
            shifted = grid + torch.tensor([dy / size[0] + 1e-6, dx / size[1] + 1e-6])
            shifted = shifted.clamp(-1 + 1e-6, 1 - 1e-6)
            looked_up = functional.grid_sample(index, shifted.flip(-1)[:, None], mode='nearest', align_corners=False)
            assert torch.equal(found[number, 0], looked_up[0, 0, 0].long())


def test_each_image_of_a_batch_answers_for_itself(random: torch.Generator) -> None:
    table = torch.rand(3, 20, 4, generator=random)
    pixel = torch.randint(0, 20, (2, 3, 6), generator=random)
    gathered = gather_pixels(table, pixel)
    for neighbor in range(2):
        for image in range(3):
            assert torch.equal(gathered[neighbor, image], table[image][pixel[neighbor, image]])


@pytest.mark.parametrize('local_ensemble', [True, False])
@pytest.mark.parametrize('crop', [None, Crop((7, 5), range(2, 6), range(4))])
def test_a_grid_knows_the_same_neighbors_to_the_last_bit(local_ensemble: bool, crop: Crop | None) -> None:
    """At fractional and odd scales, whose pixels lie on borders and centers of LR pixels, in pieces of any size."""
    view = View((7, 5), torch.ones(2, 2), crop)
    for size in ((21, 15), (14, 20), (16, 11)):
        grid = GridQueries(pixel_centers(size[0]), pixel_centers(size[1]), batch=2)
        assert len(grid) == size[0] * size[1]
        assert grid.coord.shape == (2, len(grid), 2)
        for piece in (grid, *grid.pieces(23), *list(grid.pieces(50))[1].pieces(7)):
            found = piece.neighbors(view, local_ensemble=local_ensemble)
            expected = Queries(piece.coord).neighbors(view, local_ensemble=local_ensemble)
            assert all(torch.equal(mine, theirs) for mine, theirs in zip(found, expected, strict=True))
        assert torch.equal(torch.cat([piece.coord for piece in grid.pieces(23)], dim=1), grid.coord)


def test_neighbors_in_a_crop_are_those_of_the_whole(random: torch.Generator) -> None:
    """With positions counted in the crop; beyond its border the border's pixels stand in."""
    coord = torch.rand(1, 400, 2, generator=random) * 2 - 1
    whole = around(coord, (7, 5))
    crop = Crop((7, 5), range(1, 6), range(1, 4))
    found = Queries(coord).neighbors(View((7, 5), torch.ones(1, 2), crop), local_ensemble=True)
    rows, columns = whole.pixel // 5, whole.pixel % 5
    inside = ((rows >= 1) & (rows < 6) & (columns >= 1) & (columns < 4)).all(dim=0)
    assert inside.sum() > 50
    assert torch.equal(found.pixel[:, inside], ((rows - 1) * 3 + columns - 1)[:, inside])
    assert torch.equal(found.weight[:, inside], whole.weight[:, inside])
    assert torch.equal(found.offset[:, inside], whole.offset[:, inside])
    assert found.pixel.max() < 5 * 3
