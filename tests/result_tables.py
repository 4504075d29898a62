"""Tables as testing writes them, with scores of the test's choice."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

BASE = {
    'time': '2026-01-01T00:00:00+00:00', 'encoder': 'EDSR', 'decoder': 'LIIF', 'recipe': 'Simple', 'input_patch': '24',
    'scale_range': '1-4', 'checkpoint': 'model_states_EDSR_LIIF_Simple_Patch_24_Scale_1_4_best.pth',
    'checkpoint_sha256': 'aaaa', 'epoch': '10', 'samples_seen': '100', 'seed': '0', 'strategy': 'Simple',
    'protocol': 'liif', 'device': 'cpu', 'code_version': '0.1.0+1234567', 'torch_version': '2.11.0',
    'method': 'EDSR-LIIF', 'benchmark': 'Set5', 'scale': '2', 'lr': 'files', 'color': 'Y', 'border_px': '2',
}  # fmt: skip

Cells = Mapping[str, str]


def rows_of(psnr: Sequence[float | str], **cells: str) -> list[dict[str, str]]:
    """A row for each score, of pictures p0, p1, …"""
    return [BASE | {'picture': f'p{number}', 'PSNR': str(score)} | cells for number, score in enumerate(psnr)]


def model(name: str, psnr: Sequence[float | str], **cells: str) -> list[dict[str, str]]:
    """Rows of a recipe whose weights have a hash of their own for each seed."""
    own = {
        'recipe': name,
        'checkpoint': f'model_states_EDSR_LIIF_{name}_Patch_24_Scale_1_4_best.pth',
        'checkpoint_sha256': f'{name}{cells.get("seed", "0")}',
    }
    return rows_of(psnr, **own | cells)


def bicubic(psnr: Sequence[float | str], **cells: str) -> list[dict[str, str]]:
    return rows_of(psnr, method='bicubic', **cells)


def write(path: Path, rows: Sequence[Cells]) -> Path:
    """Write a table whose columns are all that any row has."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with path.open('w', encoding='utf-8', newline='') as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    return path
