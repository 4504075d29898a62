"""Memory of the tensors in use while something is computed: counted, not measured, so the same on every machine."""

import weakref
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_COMPOSITE = torch._C.DispatchKey.CompositeImplicitAutograd


class LiveMemory(TorchDispatchMode):
    """Counts, operation by operation, the bytes of the tensors that are made within the block and still in use.

    Views count once. Of what an operation takes for itself while it runs, only convolutions are known: oneDNN copies
    input and output into an order of its own.
    """

    def __init__(self) -> None:
        super().__init__()
        self.timeline: list[int] = []
        """Bytes in use at each operation, what it takes for itself included."""

        self._in_use: dict[int, int] = {}

    @property
    def now(self) -> int:
        """Bytes in use."""
        return sum(self._in_use.values())

    @property
    def peak(self) -> int:
        """Most bytes in use at once."""
        return max(self.timeline, default=0)

    def __torch_dispatch__(
        self,
        func: Any,  # noqa: ANN401  as torch has it
        types: Any,  # noqa: ANN401
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        kwargs = kwargs or {}
        if func.has_kernel_for_dispatch_key(_COMPOSITE):
            # An operation made of others, whose results in between count too.
            with self:
                result = func.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result
        given = {_storage(tensor)._cdata for tensor in _tensors((args, kwargs))}
        result = func(*args, **kwargs)
        for tensor in _tensors(result):
            self._count(_storage(tensor), given)
        scratch = args[0].nbytes + result.nbytes if func is torch.ops.aten.convolution.default else 0
        self.timeline.append(self.now + scratch)
        return result

    def _count(self, storage: torch.UntypedStorage, given: set[int]) -> None:
        key = storage._cdata
        if key not in self._in_use and key not in given:
            self._in_use[key] = storage.nbytes()
            weakref.finalize(storage, self._in_use.pop, key, None)


def _tensors(values: object) -> list[Tensor]:
    # Weights that oneDNN has packed have no storage to be seen; they are small.
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor) and not leaf.is_mkldnn]


def _storage(tensor: Tensor) -> torch.UntypedStorage:
    return tensor.untyped_storage()
