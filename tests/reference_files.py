"""Reading the fixtures of published networks: `tests/references/*.npz`.

Each holds an official implementation's weights, inputs and outputs, and in `meta` where they come from, how the network
was built, and the tolerance that its own rounding noise suggests.
"""

import json
import re
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

REFERENCES = Path(__file__).parent / 'references'
_KEPT = ('sub_mean', 'add_mean', 'relative_position_index', 'attn_mask', 'escape_NaN', 'residual_scaling')


class Reference:
    """One fixture."""

    def __init__(self, name: str, folder: Path = REFERENCES) -> None:
        with np.load(folder / f'{name}.npz', allow_pickle=False) as file:
            self._arrays = {key: file[key] for key in file.files}
        self.meta: dict[str, Any] = json.loads(str(self._arrays.pop('meta')))

    def __getitem__(self, key: str) -> Tensor:
        """An array by its key, such as `input/inp`."""
        return torch.from_numpy(self._arrays[key])

    def array(self, key: str) -> np.ndarray:
        return self._arrays[key]

    def tolerance(self, key: str) -> float:
        return self.meta['suggested_atol'][key]

    @property
    def state(self) -> dict[str, Tensor]:
        """The official state_dict."""
        return {key.removeprefix('state/'): self[key] for key in self._arrays if key.startswith('state/')}


def regenerated_state(meta: dict[str, Any], keys: Iterable[tuple[str, tuple[int, ...]]]) -> dict[str, Tensor]:
    """Weights of a full-size fixture by the recipe in its `meta.weights`, for the given official keys and shapes."""
    weights = meta['weights']
    state = {}
    for key, shape in keys:
        if any(part in key for part in _KEPT):
            continue
        random = np.random.RandomState(zlib.crc32(f'{weights["seed"]}:{key}'.encode()))
        normal = random.standard_normal(int(np.prod(shape))).reshape(shape)
        value = _scaled(key, normal, weights['gain'])
        for pattern, factor, *offset in weights['overrides']:
            if re.search(pattern, key):
                value = value * factor + sum(offset)
        state[key] = torch.from_numpy(value.astype(np.float32))
    return state


def _scaled(key: str, normal: np.ndarray, gain: float) -> np.ndarray:
    if not key.endswith('.weight'):
        return 0.05 * normal
    return gain * normal / np.sqrt(np.prod(normal.shape[1:])) if normal.ndim >= 2 else 1 + 0.1 * normal
