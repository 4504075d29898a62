"""Tiny ImageNet networks in the place of the published ones, whose files are not on this machine."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch

from Models.Frozen import VGG as vgg_module

WIDTHS = (4, 5, 6, 7, 8)


def tiny_layout(vgg_type: str = 'vgg19') -> list[int | str]:
    """VGG as torchvision writes it down, with fewer channels."""
    depths = vgg_module.PUBLISHED[vgg_type].depths
    return [entry for width, count in zip(WIDTHS, depths, strict=True) for entry in [*[width] * count, 'M']]


def plant(state: dict[str, torch.Tensor], stem: str, home: Path) -> str:
    """Put weights into torch's cache folder under a name that carries their hash; returns the name."""
    folder = home / 'hub' / 'checkpoints'
    folder.mkdir(parents=True, exist_ok=True)
    unnamed = folder / 'unnamed'
    torch.save(state, unnamed)
    name = f'{stem}-{hashlib.sha256(unnamed.read_bytes()).hexdigest()[:8]}.pth'
    unnamed.rename(folder / name)
    return name


def plant_vgg(home: Path, monkeypatch: pytest.MonkeyPatch, vgg_type: str = 'vgg19') -> dict[str, torch.Tensor]:
    """A random VGG of few channels, classifier included as in the published file; returns its weights."""
    random = torch.Generator().manual_seed(0)
    state: dict[str, Any] = {}
    channels, number = 3, 0
    for entry in tiny_layout(vgg_type):
        if isinstance(entry, int):
            weight = torch.randn(entry, channels, 3, 3, generator=random) * (2 / (9 * channels)) ** 0.5
            state[f'features.{number}.weight'] = weight
            state[f'features.{number}.bias'] = 0.1 * torch.randn(entry, generator=random)
            channels = entry
        number += 2 if isinstance(entry, int) else 1  # A convolution and its ReLU, or a pooling.
    state['classifier.0.weight'] = torch.zeros(2, 2)
    monkeypatch.setenv('TORCH_HOME', str(home))
    monkeypatch.setattr(vgg_module, '_WIDTHS', WIDTHS)
    published = vgg_module.PUBLISHED[vgg_type]._replace(file=plant(state, vgg_type, home))
    monkeypatch.setitem(vgg_module.PUBLISHED, vgg_type, published)
    return state
