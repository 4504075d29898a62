import torch
from torch.nn import functional

from Models.Decoders.local_ensemble import find_neighbors, gather_pixels
from Utilities.coordinates import pixel_centers


def test_shares_are_those_of_bilinear_interpolation() -> None:
    """A quarter of an LR pixel below and right of the centre of pixel (1, 1), the shares are 9/16, 3/16, 3/16, 1/16."""
    centers = pixel_centers(4, dtype=torch.float64)
    coord = (centers[1] + 0.25 * 2 / 4).expand(1, 1, 2)
    neighbors = find_neighbors(coord, (4, 4), local_ensemble=True)
    assert neighbors.pixel[:, 0, 0].tolist() == [1 * 4 + 1, 1 * 4 + 2, 2 * 4 + 1, 2 * 4 + 2]
    expected = torch.tensor([9, 3, 3, 1], dtype=torch.float64) / 16
    torch.testing.assert_close(neighbors.weight[:, 0, 0], expected, atol=1e-8, rtol=0)
    # Offsets in units where an LR pixel is 2: half of one from the nearest centre.
    torch.testing.assert_close(neighbors.offset[0, 0, 0], torch.tensor([0.5, 0.5], dtype=torch.float64))


def test_shares_add_up_to_1_everywhere(random: torch.Generator) -> None:
    coord = torch.rand(2, 500, 2, generator=random) * 2 - 1
    neighbors = find_neighbors(coord, (7, 5), local_ensemble=True)
    torch.testing.assert_close(neighbors.weight.sum(dim=0), torch.ones(2, 500))


def test_neighbors_are_those_that_grid_sample_finds(random: torch.Generator) -> None:
    """The published networks look up with grid_sample; ours index, and must agree on every tie."""
    for size, hr_size in (((7, 5), (21, 15)), ((6, 8), (12, 24)), ((4, 4), (11, 9))):
        rows, columns = pixel_centers(hr_size[0]), pixel_centers(hr_size[1])
        grid = torch.stack(torch.meshgrid(rows, columns, indexing='ij'), dim=-1).flatten(0, 1)[None]
        index = torch.arange(size[0] * size[1]).view(1, 1, *size).float()
        found = find_neighbors(grid, size, local_ensemble=True).pixel
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
