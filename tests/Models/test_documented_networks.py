"""The tables of docs/networks.md are true."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from Models import DecoderType, EncoderType
from Models.build import build_super_resolver
from tests.reference_files import REFERENCES, Reference

TEXT = (Path(__file__).parents[2] / 'docs' / 'networks.md').read_text()
LINES = [line for line in TEXT.splitlines() if re.match(r'\| [A-Z]', line)]
ROWS = [[cell.strip() for cell in line.strip('|').split('|')] for line in LINES if '| Paper |' not in line]
MEMBERS = {*EncoderType.__members__, *DecoderType.__members__}
OPTIONS: dict[str, dict[str, Any]] = {
    'EDSR, large (`n_resblocks=32, n_feats=256, res_scale=0.1`)': {'n_resblocks': 32, 'n_feats': 256, 'res_scale': 0.1},
    "RDN, A (`config='A'`)": {'config': 'A'},
    'LINF, patches (`patch_size=3`)': {'patch_size': 3},
    'CLIT, one stage: LIT (`stages=1`)': {'stages': 1},
}


def name_of(row: list[str]) -> str:
    return re.match(r'\w+', row[0])[0]  # type: ignore[index]


@pytest.mark.parametrize('row', [row for row in ROWS if name_of(row) in MEMBERS], ids=lambda row: row[0])
def test_parameters_and_receptive_field(row: list[str]) -> None:
    name, options = name_of(row), OPTIONS.get(row[0], {})
    with torch.device('meta'):
        if name in EncoderType.__members__:
            network = build_super_resolver(EncoderType[name], DecoderType.LIIF, options).encoder
        else:
            network = build_super_resolver(EncoderType.EDSR, DecoderType[name], {}, options).decoder
    assert f'{sum(parameter.numel() for parameter in network.parameters()):,}'.replace(',', ' ') == row[2]
    view = getattr(network, 'facts', network).receptive_field
    assert row[-1].startswith('none' if view is None else f'{view}')


def test_fixtures_come_from_where_it_says() -> None:
    origins = set()
    for file in REFERENCES.glob('*.npz'):
        meta = Reference(file.stem).meta
        if 'constructor' in meta:
            origins.add(f'{meta["repo"]}@{meta["commit"][:7]}')
    assert origins <= set(re.findall(r'[\w-]+/[\w-]+@[0-9a-f]{7}', TEXT))
