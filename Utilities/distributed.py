"""Several processes as one: who this one is, and what they have to agree on.

`torchrun` starts the same script several times and tells each copy its place by environment variables. Numbers and
objects travel between CPUs by gloo, gradients between GPUs by NCCL.
"""

import contextlib
import dataclasses
import datetime
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from Utilities.command_line import RunFailedError

Value = TypeVar('Value')

_TIMEOUT = datetime.timedelta(hours=1)
"""Longer than the first decoding of a large set, which the others wait for. A process that ends is noticed at once."""


@dataclasses.dataclass(frozen=True)
class Ranks:
    """One process among those that work together. Alone, it agrees with itself at no cost.

    Every method but `part_of` has to be called by all of them, in the same order; `joined` comes first.
    """

    rank: int = 0
    """From 0 on; the first one writes and speaks for all."""

    size: int = 1
    """Number of processes, on all machines."""

    local_rank: int = 0
    """Number of the process on this machine."""

    @classmethod
    def from_environment(cls) -> 'Ranks':
        """The ranks that torchrun sets; alone if it sets none.

        Raises:
            ValueError: if what it says can't be.
        """
        if 'RANK' not in os.environ:
            return cls()
        names = ('RANK', 'WORLD_SIZE', 'LOCAL_RANK')
        found = {name: os.environ.get(name) for name in names}
        try:
            rank, size, local_rank = (int(found[name] or '') for name in names)
        except ValueError:
            rank = size = local_rank = -1
        if not (0 <= local_rank <= rank < size):
            raise ValueError(
                f'RANK, WORLD_SIZE and LOCAL_RANK must be as torchrun sets them, got {found}. Start the script by '
                'torchrun, or unset RANK to run it alone.'
            )
        return cls(rank, size, local_rank)

    @property
    def is_alone(self) -> bool:
        """Whether this is the only process."""
        return self.size == 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes and speaks for all."""
        return self.rank == 0

    @contextlib.contextmanager
    def joined(self, device: torch.device) -> Iterator['Ranks']:
        """Be connected to the others for as long as the context lasts; all but the first say nothing but errors.

        Args:
            device: where this process computes.
        """
        if self.is_alone:
            yield self
            return
        if device.type == 'cuda':
            torch.cuda.set_device(device)
        nccl = device.type == 'cuda' and dist.is_nccl_available()
        store, _, _ = next(dist.rendezvous('env://', timeout=_TIMEOUT))
        # A script may join several times, such as to train and to test, and must not find what it left before.
        start = store.add(f'starts of {self.rank}', 1)
        dist.init_process_group(
            'cpu:gloo,cuda:nccl' if nccl else 'gloo',
            store=dist.PrefixStore(f'start {start}', store),
            rank=self.rank,
            world_size=self.size,
            timeout=_TIMEOUT,
        )
        silenced = logging.root.manager.disable
        if not self.is_first:
            logging.disable(logging.WARNING)
        try:
            yield self
        finally:
            logging.disable(silenced)
            dist.destroy_process_group()

    def part_of(self, count: int) -> range:
        """The share of `count` things that is this process's."""
        return range(self.rank, count, self.size)

    def gather(self, value: Value) -> list[Value]:
        """The values of all, by rank, in the CPU's memory."""
        if self.is_alone:
            return [value]
        found: list[Value] = [value] * self.size
        try:
            dist.all_gather_object(found, value)
        except RuntimeError as error:
            raise RunFailedError(f'Another process has ended, and may have said why: {error}') from error
        return found

    def from_first(self, value: Value) -> Value:
        """The first one's value."""
        if self.is_alone:
            return value
        found = [value if self.is_first else None]
        dist.broadcast_object_list(found, src=0)
        return found[0]  # type: ignore[return-value]

    def largest(self, number: int) -> int:
        """The largest of all numbers. It waits for the others, but for no GPU."""
        if self.is_alone:
            return number
        found = torch.tensor(number)
        dist.all_reduce(found, dist.ReduceOp.MAX)
        return int(found)

    def add_up(self, value: Tensor) -> Tensor:
        """The sum over all, where the value is."""
        if self.is_alone:
            return value
        total = value.detach().clone()
        dist.all_reduce(total)
        return total

    def mean_of(self, values: Mapping[str, Tensor], share: float) -> dict[str, Tensor]:
        """Means over all, of scalars that each are a mean over this process's share of the whole."""
        if self.is_alone:
            return dict(values)
        # A share of nothing has no mean, but may be represented by a stand-in that is no number.
        own = torch.stack([value.detach().double() for value in values.values()]) * share
        return dict(zip(values, self.add_up(own).float(), strict=True))

    def map(self, count: int, work: Callable[[int], Value]) -> Iterator[Value]:
        """`work(0)` to `work(count - 1)` in order, for all, though each process does only its part of the work."""
        if self.is_alone:
            yield from (work(index) for index in range(count))
            return
        for start in range(0, count, self.size):
            index = start + self.rank
            with self.together():
                own = work(index) if index < count else None
            yield from self.gather(own)[: count - start]  # type: ignore[misc]

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """For what each does by itself: no one goes on before all have done it, and if one fails, all end.

        Only the first that failed says why, as most errors are the same for all.
        """
        if self.is_alone:
            yield
            return
        try:
            yield
        except (Exception, SystemExit) as error:
            codes = self.gather(_exit_code(error))
            if next(rank for rank, code in enumerate(codes) if code is not None) == self.rank:
                raise
            raise SystemExit(_first(codes)) from None
        codes = self.gather(None)
        if any(code is not None for code in codes):
            raise SystemExit(_first(codes))


ALONE = Ranks()
"""One process, as most runs are."""


def _exit_code(error: BaseException) -> int | None:
    return error.code if isinstance(error, SystemExit) and isinstance(error.code, int) else 1


def _first(codes: Sequence[int | None]) -> int:
    return next(code for code in codes if code is not None)
