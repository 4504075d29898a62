"""Deterministic measures of work and memory, unlike clocks."""

import math
import weakref
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode


def multiply_adds(action: Callable[[], object]) -> int:
    """Products of matrices and convolutions, in multiply-adds; elementwise work is not counted."""
    in_place = {torch.ops.aten.addmm_: _of_addmm, torch.ops.aten.baddbmm_: _of_baddbmm}
    with FlopCounterMode(display=False, custom_mapping=in_place) as counter:
        action()
    return counter.get_total_flops() // 2


def _of_addmm(_total: Any, left: Any, right: Any, *_rest: Any, **_options: Any) -> int:
    return 2 * math.prod(left) * right[1]


def _of_baddbmm(_total: Any, left: Any, right: Any, *_rest: Any, **_options: Any) -> int:
    return 2 * math.prod(left) * right[2]


class LiveBytes(TorchDispatchMode):
    """Bytes of the tensors alive that were made under it, and the most there ever were.

    What an operation takes and gives back by itself is not seen, nor are weights that oneDNN has repacked.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.peak = 0
        self._seen: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        given = {id(tensor.untyped_storage()) for tensor in _tensors([args, kwargs or {}])}
        for tensor in _tensors(result):
            storage = tensor.untyped_storage()
            if id(storage) not in given and id(storage) not in self._seen:
                self._begin(storage)
        return result

    def _begin(self, storage: torch.UntypedStorage) -> None:
        key, size = id(storage), storage.nbytes()
        self._seen.add(key)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._end, key, size)

    def _end(self, key: int, size: int) -> None:
        self._seen.discard(key)
        self.now -= size


def _tensors(tree: Any) -> Iterable[Tensor]:
    return [
        leaf
        for leaf in torch.utils._pytree.tree_leaves(tree)
        if isinstance(leaf, Tensor) and leaf.layout is torch.strided
    ]


def peak_bytes(action: Callable[[], object]) -> int:
    """The most bytes of tensors that a call has alive at once, of those that it makes."""
    with LiveBytes() as live:
        result = action()
    del result
    return live.peak
