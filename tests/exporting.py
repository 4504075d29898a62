"""LIIF as two graphs, for a process of its own: tracing does not get through the checks of shapes that tests have."""

import json
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import Dim

from Models import DecoderType, EncoderType
from Models.Decoders.LIIF import LIIF
from Models.Decoders.Queries import Queries, View
from tests.tiny_networks import tiny

Inputs = tuple[Tensor, Tensor, Tensor]
"""Normalized image, coordinates, cell."""


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


def inputs_of(batch: int, height: int, width: int, queries: int) -> Inputs:
    random = torch.Generator().manual_seed(queries)
    coord = torch.rand(batch, queries, 2, generator=random) * 2 - 1
    return torch.rand(batch, 3, height, width, generator=random), coord, torch.rand(batch, 2, generator=random)


@torch.no_grad()
def compare_exported(options: dict[str, bool], answer: Path) -> None:
    """Write the largest differences between the exported network and ours, at other sizes than it was exported with."""
    torch.set_num_threads(1)
    decoder = (model := tiny(EncoderType.EDSR, DecoderType.LIIF, **options)).decoder
    assert isinstance(decoder, LIIF)
    prepare, query = Prepare(model.encoder, decoder), Query(decoder)
    lr, coord, cell = inputs_of(2, 12, 17, 40)
    batch, height, width = Dim('batch', max=64), Dim('height', min=2, max=4096), Dim('width', min=2, max=4096)
    of_lr = {0: batch, 2: height, 3: width}
    exported_prepare = torch.export.export(prepare, (lr,), dynamic_shapes=(of_lr,)).module()
    shapes = ({0: batch, 1: Dim('pixels', max=2**24)}, of_lr, {0: batch, 1: Dim('queries', max=2**20)}, {0: batch})
    exported_query = torch.export.export(query, (prepare(lr), lr, coord, cell), dynamic_shapes=shapes).module()
    differences = []
    for sizes in ((2, 12, 17, 40), (3, 31, 9, 77), (1, 5, 64, 1000)):
        lr, coord, cell = inputs_of(*sizes)
        table, colors = prepare(lr), query(prepare(lr), lr, coord, cell)
        found = exported_prepare(lr), exported_query(exported_prepare(lr), lr, coord, cell)
        differences += [(mine - theirs).abs().max().item() for mine, theirs in zip((table, colors), found, strict=True)]
    answer.write_text(json.dumps({'differences': differences, 'spread': colors.std().item()}))
