"""Exported networks, for a process of their own: tracing does not get through the checks of shapes that tests have."""

import json
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import Dim

from Models import DecoderType, EncoderType
from Models.Decoders.LIIF import LIIF
from Models.Decoders.Queries import Queries, View
from tests.tiny_networks import tiny

SIZES = ((2, 12, 17, 40), (3, 31, 9, 77), (1, 5, 64, 1000))
"""Images, height, width, queries; the first ones are those that the networks are exported with."""

BATCH = Dim('batch', max=64)
OF_LR = {0: BATCH, 2: Dim('height', min=4, max=4096), 3: Dim('width', min=4, max=4096)}
OF_COORD = {0: BATCH, 1: Dim('queries', max=2**20)}


class Prepare(nn.Module):
    """Once per image: from the normalized image to LIIF's table."""

    def __init__(self, encoder: nn.Module, decoder: LIIF) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def forward(self, lr: Tensor) -> Tensor:
        return self.decoder.prepare(self.encoder(lr), lr)


class Query(nn.Module):
    """For any coordinates; the image tells its size."""

    def __init__(self, decoder: LIIF) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, table: Tensor, lr: Tensor, coord: Tensor, cell: Tensor) -> Tensor:
        return self.decoder.query(self.decoder.aim(table, View((lr.shape[2], lr.shape[3]), cell)), Queries(coord))


def inputs_of(batch: int, height: int, width: int, queries: int) -> tuple[Tensor, Tensor, Tensor]:
    """Image, coordinates, cell."""
    random = torch.Generator().manual_seed(queries)
    coord = torch.rand(batch, queries, 2, generator=random) * 2 - 1
    return torch.rand(batch, 3, height, width, generator=random), coord, torch.rand(batch, 2, generator=random)


@torch.no_grad()
def compare_in_two_graphs(options: dict[str, bool]) -> list[float]:
    """Largest differences between LIIF's two exported phases and ours."""
    model = tiny(EncoderType.EDSR, DecoderType.LIIF, **options)
    assert isinstance(model.decoder, LIIF)
    prepare, query = Prepare(model.encoder, model.decoder), Query(model.decoder)
    lr, coord, cell = inputs_of(*SIZES[0])
    exported_prepare = torch.export.export(prepare, (lr,), dynamic_shapes=(OF_LR,)).module()
    shapes = ({0: BATCH, 1: Dim('pixels', max=2**24)}, OF_LR, OF_COORD, {0: BATCH})
    exported_query = torch.export.export(query, (prepare(lr), lr, coord, cell), dynamic_shapes=shapes).module()
    differences = []
    for sizes in SIZES:
        lr, coord, cell = inputs_of(*sizes)
        table = exported_prepare(lr)
        differences.append((table - prepare(lr)).abs().max().item())
        expected = query(prepare(lr), lr, coord, cell)
        differences.append((exported_query(table, lr, coord, cell) - expected).abs().max().item())
    return differences


@torch.no_grad()
def compare_whole(decoder: DecoderType) -> list[float]:
    """Largest differences between the exported network and ours."""
    model = tiny(EncoderType.EDSR, decoder)
    shapes = {'lr': OF_LR, 'coord': OF_COORD, 'cell': {0: BATCH}}
    exported = torch.export.export(model, inputs_of(*SIZES[0]), dynamic_shapes=shapes).module()
    differences = []
    for sizes in SIZES:
        expected = model(*inputs_of(*sizes))
        differences.append((exported(*inputs_of(*sizes)) - expected).abs().max().item())
    return differences


def compare_exported(answer: Path) -> None:
    """Write the largest differences by name."""
    torch.set_num_threads(1)
    several: list[dict[str, bool]] = [{}, {'local_ensemble': False}, {'feat_unfold': False, 'cell_decode': False}]
    found = {f'LIIF {options}': compare_in_two_graphs(options) for options in several}
    whole = (DecoderType.MetaSR, DecoderType.LTE, DecoderType.LINF, DecoderType.SRNO, DecoderType.HIIF)
    found |= {decoder.name: compare_whole(decoder) for decoder in whole}
    answer.write_text(json.dumps(found))
