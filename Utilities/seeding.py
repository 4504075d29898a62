"""Random numbers that depend on nothing but a seed and a place in the run.

Philox is a counter-based generator (Salmon et al., SC 2011, https://doi.org/10.1145/2063384.2063405): any of its
streams is reached directly. So a sample needs no state from earlier samples, and the number of workers, a restart or
the order of calls can't change it.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from Utilities.distributed import Ranks


def generator_for(seed: int, purpose: str, *position: int) -> np.random.Generator:
    """A fresh generator for one place of a run.

    Args:
        seed: the run's seed, 0 to 2^63 - 1.
        purpose: keeps streams apart, such as `order` and `sample`.
        position: where in the run, such as (epoch, index).
    """
    return np.random.Generator(np.random.Philox(key=int.from_bytes(_key(seed, purpose, position), 'little')))


class Streams:
    """The generators of `generator_for`, one position after another: one of them moved, in a fifth of the time."""

    def __init__(self, seed: int, purpose: str) -> None:
        self._seed = seed
        self._purpose = purpose
        self._philox = np.random.Philox(key=0)
        self._generator = np.random.Generator(self._philox)
        self._start: Any = self._philox.state

    def at(self, *position: int) -> np.random.Generator:
        """The generator at a position; where the one that was given before is moved to."""
        self._start['state']['key'] = np.frombuffer(_key(self._seed, self._purpose, position), '<u8')
        self._philox.state = self._start
        return self._generator


def _key(seed: int, purpose: str, position: Sequence[int]) -> bytes:
    text = f'{seed}/{purpose}/{"/".join(map(str, position))}'
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def torch_state(device: torch.device) -> dict[str, Tensor]:
    """States of torch's own generators, which dropout and its like draw from: the CPU's, and a GPU's if it is used."""
    states = {'cpu': torch.get_rng_state()}
    if device.type == 'cuda':
        states['cuda'] = torch.cuda.get_rng_state(device)
    return states


def torch_states(device: torch.device, ranks: Ranks) -> dict[str, Tensor]:
    """`torch_state` of all processes; those of the first one under the names that it has alone."""
    states = ranks.gather(torch_state(device))
    others = {f'{name} {rank}': state for rank in range(1, ranks.size) for name, state in states[rank].items()}
    return states[0] | others


def restore_torch_states(states: dict[str, Tensor], device: torch.device, ranks: Ranks) -> None:
    """The inverse of `torch_states`; a process that the file does not know draws as it began."""
    own = states if ranks.is_first else {name: states.get(f'{name} {ranks.rank}') for name in ('cpu', 'cuda')}
    if own['cpu'] is not None:
        restore_torch_state({name: state for name, state in own.items() if state is not None}, device)


def seed_apart(seed: int, ranks: Ranks) -> None:
    """Let each process but the first, which draws as it would alone, draw its own numbers from torch's generators."""
    if not ranks.is_first:
        torch.manual_seed(int(generator_for(seed, 'rank', ranks.rank).integers(2**63)))


def restore_torch_state(states: dict[str, Tensor], device: torch.device) -> None:
    """The inverse of `torch_state`; a GPU without a state of its own keeps the one it has."""
    torch.set_rng_state(states['cpu'])
    if device.type == 'cuda' and 'cuda' in states:
        torch.cuda.set_rng_state(states['cuda'], device)
