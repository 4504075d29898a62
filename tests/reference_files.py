"""Reading the fixtures of published networks: `tests/references/*.npz`.

Each holds an official implementation's weights, inputs and outputs, and in `meta` where they come from, how the network
was built, and the tolerance that its own rounding noise suggests.
"""

import copy
import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

REFERENCES = Path(__file__).parent / 'references'

Shapes = Iterable[tuple[str, tuple[int, ...]]]

_KEPT = (
    'sub_mean',
    'add_mean',
    'relative_position_index',
    'attn_mask',
    'escape_NaN',
    'residual_scaling',
    'num_batches_tracked',
)


class Call(NamedTuple):
    """One call of the official network."""

    runner: str
    arguments: Mapping[str, Any]
    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]
    atol: Mapping[str, float | None]
    """By output; None where the output is discontinuous and not to be compared, no entry where none is stated."""


class Reference:
    """One fixture.

    Args:
        file: its path, or its name without `.npz` below `tests/references`.
    """

    def __init__(self, file: str | Path) -> None:
        path = REFERENCES / f'{file}.npz' if isinstance(file, str) else file
        self.name = path.stem
        with np.load(path, allow_pickle=False) as stored:
            self._arrays = {key: stored[key] for key in stored.files}
        if 'meta' not in self._arrays:
            raise ValueError(f'{path} has no array named meta, so it is no fixture.')
        self.path = path
        self.meta: dict[str, Any] = json.loads(str(self._arrays.pop('meta')))

    def __getitem__(self, key: str) -> Tensor:
        """An array by its key, such as `input/inp`."""
        return torch.from_numpy(self._arrays[key])

    def array(self, key: str) -> np.ndarray:
        return self._arrays[key]

    @property
    def kind(self) -> str:
        """The official class's name, without remarks."""
        return self.meta['class'].split()[0]

    @property
    def outputs(self) -> list[str]:
        """Names of the arrays below `output/`, which in a fixture without calls are all there is to compare."""
        return list(self._under('output'))

    @property
    def calls(self) -> list[Call]:
        tolerances = self.meta['suggested_atol']
        return [
            Call(
                runner=call['runner'],
                arguments=call['args'],
                inputs=self._under(call['in']),
                outputs=self._under(call['out']),
                atol={
                    name: tolerances[f'{call["out"]}/{name}']
                    for name in self._under(call['out'])
                    if f'{call["out"]}/{name}' in tolerances
                },
            )
            for call in self.meta['calls']
        ]

    @property
    def state(self) -> dict[str, Tensor]:
        """The official state_dict; empty in a full-size fixture, see `regenerated_state`."""
        return self._under('state')

    def with_state(self, state: Mapping[str, Tensor]) -> 'Reference':
        """The same with other weights, to see what they do."""
        changed = copy.copy(self)
        others = {key: array for key, array in self._arrays.items() if not key.startswith('state/')}
        changed._arrays = others | {f'state/{key}': value.numpy() for key, value in state.items()}
        return changed

    def _under(self, prefix: str) -> dict[str, Tensor]:
        return {key.removeprefix(f'{prefix}/'): self[key] for key in self._arrays if key.startswith(f'{prefix}/')}


def assert_calls_equal(reference: Reference, answer: Callable[[Call], Mapping[str, Tensor]]) -> None:
    """Compare every output of every call with the answer, each within its own stated tolerance.

    Args:
        reference: the fixture.
        answer: what ours gives for a call, under the fixture's names; it may hold more.

    Raises:
        AssertionError: naming the call, the output and the largest error.
    """
    assert reference.calls, 'There are no calls.'
    for number, call in enumerate(reference.calls, start=1):
        found = answer(call)
        missing = set(call.outputs) - set(found)
        assert call.outputs, f'call {number}: no outputs'
        assert not missing, f'call {number}: {", ".join(sorted(missing))} can not be given'
        for name, expected in call.outputs.items():
            assert name in call.atol, f'call {number}, {name}: no tolerance is stated'
            tolerance = call.atol[name]
            if tolerance is None:  # discontinuous
                continue
            assert found[name].shape == expected.shape, f'call {number}, {name}: {tuple(found[name].shape)}'
            error = (found[name] - expected).abs().max().item()
            assert error <= tolerance, f'call {number}, {name}: off by {error:.2e}, allowed {tolerance:.2e}'


def official_keys(configuration: str) -> list[tuple[str, tuple[int, ...]]]:
    """Keys and shapes of an official state_dict, such as that of `rcan-encoder`."""
    return [(key, tuple(shape)) for key, shape, _ in _official_key_lists()[configuration]['keys']]


def official_configurations() -> dict[str, dict[str, Any]]:
    """How each configuration in the lists of official keys was built (`constructor`), and its size (`n_params`)."""
    return {
        name: {key: value for key, value in entry.items() if key != 'keys'}
        for name, entry in _official_key_lists().items()
    }


def official_keys_of(constructor: Mapping[str, Any]) -> list[tuple[str, tuple[int, ...]]] | None:
    """Keys and shapes of the official network that was built with these arguments; None if the lists do not have it."""
    wanted = {key: value for key, value in constructor.items() if key != 'repo'}
    for name, entry in _official_key_lists().items():
        if {key: value for key, value in entry['constructor'].items() if key != 'repo'} == wanted:
            return official_keys(name)
    return None


@cache
def _official_key_lists() -> dict[str, Any]:
    return json.loads(gzip.decompress((REFERENCES / 'official_state_dict_keys.json.gz').read_bytes()))


def stated_keys(meta: Mapping[str, Any]) -> list[tuple[str, tuple[int, ...]]] | None:
    """Keys and shapes of a full-size fixture's weights, by itself or the official lists; None if neither has them."""
    weights = meta.get('weights') or {}
    stated = weights.get('keys') or meta.get('shapes') or meta.get('keys')
    if stated is None or isinstance(stated, str):
        return official_keys_of(meta.get('constructor') or {})
    pairs = stated.items() if isinstance(stated, Mapping) else stated
    return [(key, tuple(shape)) for key, shape in pairs]


def regenerated_state(
    weights: Mapping[str, Any],
    keys: Shapes,
    recipe: Callable[[str, np.ndarray, float], np.ndarray] | None = None,
) -> dict[str, Tensor]:
    """Weights of a full-size fixture by the text in `meta.weights`, for the given official keys and shapes.

    Keys whose values the text leaves to the constructor are left out; they are constants.

    Args:
        weights: `meta.weights`, or a part of it with `seed`, `gain` and `overrides`.
        keys: official names and shapes.
        recipe: from a key, standard normal numbers of its shape and the gain to its value; None: the common one.
    """
    state = {}
    for key, shape in keys:
        if any(part in key for part in _KEPT):
            continue
        random = np.random.RandomState(zlib.crc32(f'{weights["seed"]}:{key}'.encode()))
        normal = random.standard_normal(int(np.prod(shape))).reshape(shape)
        value = (recipe or _recipe)(key, normal, weights['gain'])
        for pattern, factor, *offset in weights['overrides']:
            if re.search(pattern, key):
                value = value * factor + sum(offset)
        state[key] = torch.from_numpy(value.astype(np.float32))
    return state


def _recipe(key: str, normal: np.ndarray, gain: float) -> np.ndarray:  # noqa: PLR0911
    if key.endswith('running_mean'):
        return 0.1 * normal
    if key.endswith('running_var'):
        return np.exp(0.3 * normal)
    if key.endswith('relative_position_bias_table'):
        return 0.5 * normal
    if key.endswith('._weight'):
        return np.eye(*normal.shape) + 0.15 * normal
    if key.endswith(('weight_u', 'weight_v')):
        return normal / np.linalg.norm(normal)
    if not key.endswith(('.weight', '.weight_orig')):
        return 0.05 * normal
    if key.endswith(('kln.weight', 'vln.weight')):
        return 1 + 0.1 * normal
    if normal.ndim >= 2:
        return gain * normal / np.sqrt(np.prod(normal.shape[1:]))
    return 0.25 + 0.05 * normal if normal.shape == (1,) else 1 + 0.1 * normal
