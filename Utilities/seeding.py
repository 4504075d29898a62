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


def generator_for(seed: int, purpose: str, *position: int) -> np.random.Generator:
    """A fresh generator for one place of a run.

    Args:
        seed: the run's seed, 0 to 2^63 - 1.
        purpose: keeps streams apart, such as `order` and `sample`.
        position: where in the run, such as (epoch, index).
    """
    return np.random.Generator(np.random.Philox(key=int.from_bytes(_key(seed, purpose, position), 'little')))


class Streams:
    """What `generator_for` gives, for one position after another: one generator moved, in a fifth of the time."""

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


def restore_torch_state(states: dict[str, Tensor], device: torch.device) -> None:
    """The inverse of `torch_state`; a GPU without a state of its own keeps the one it has."""
    torch.set_rng_state(states['cpu'])
    if device.type == 'cuda' and 'cuda' in states:
        torch.cuda.set_rng_state(states['cuda'], device)
