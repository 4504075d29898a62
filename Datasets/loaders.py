"""From samples to batches, in a fixed order, starting anywhere."""

from collections.abc import Generator, Iterator
from typing import TypeVar

import torch
from torch.utils.data import DataLoader, Sampler

from Datasets.SampleSource import Batch, Position, SampleSource
from Utilities.distributed import ALONE, Ranks
from Utilities.seeding import generator_for
from Utilities.StopRequest import outlive_stop_signals, stop_signals_wait

SECONDS_TO_WAIT = 600
"""For a batch, before the run gives up: a batch takes seconds, a network drive that comes back some minutes. Without a
limit, a worker that hangs would hold its machine until somebody looks."""

Samples = TypeVar('Samples', bound=Batch)


class EpochBatches(Sampler[list[Position]]):
    """Positions of the samples of each batch from a starting point to the end of the run.

    The order within an epoch is a permutation drawn from (seed, epoch) alone. Epochs count from 1. The last batch of an
    epoch holds what is left.

    Args:
        samples: samples per epoch.
        batch_size: samples per batch.
        epochs: the last epoch.
        seed: the run's seed.
        start_epoch, start_batch: where to begin; batches of the epoch already done.
        ranks: the processes that share each batch; this one gets its part, and of a batch with too few samples for all
            possibly one that is not its own, as it has to take part in every step.
    """

    def __init__(  # noqa: PLR0913
        self,
        samples: int,
        batch_size: int,
        *,
        epochs: int,
        seed: int,
        start_epoch: int = 1,
        start_batch: int = 0,
        ranks: Ranks = ALONE,
    ) -> None:
        self._samples = samples
        self._batch_size = batch_size
        self._epochs = epochs
        self._seed = seed
        self._start_epoch = start_epoch
        self._start_batch = start_batch
        self._ranks = ranks

    @property
    def batches_per_epoch(self) -> int:
        """Batches of each epoch."""
        return -(-self._samples // self._batch_size)

    def samples_in(self, batch: int) -> int:
        """Samples of a batch, counted from 0 within its epoch, of all processes."""
        return min(self._batch_size, self._samples - batch * self._batch_size)

    def positions_of(self, epoch: int, batch: int) -> list[Position]:
        """The samples of one batch of the run, counted from 0 within its epoch, of all processes."""
        order = generator_for(self._seed, 'order', epoch).permutation(self._samples).tolist()
        return [Position(epoch, index, batch) for index in order[batch * self._batch_size :][: self._batch_size]]

    def __len__(self) -> int:
        return max(0, (self._epochs - self._start_epoch + 1) * self.batches_per_epoch - self._start_batch)

    def __iter__(self) -> Iterator[list[Position]]:
        for epoch in range(self._start_epoch, self._epochs + 1):
            order = generator_for(self._seed, 'order', epoch).permutation(self._samples).tolist()
            first = self._start_batch if epoch == self._start_epoch else 0
            for batch in range(first, self.batches_per_epoch):
                indices = order[batch * self._batch_size : (batch + 1) * self._batch_size]
                own = indices[self._ranks.rank :: self._ranks.size] or indices[:1]
                yield [Position(epoch, index, batch) for index in own]


def load_batches(
    samples: SampleSource[Samples], batches: EpochBatches, *, workers: int, pin_memory: bool
) -> Generator[Samples, None, None]:
    """Batches of a whole run, prepared by `workers` processes (0: by this one). Closing it ends the processes.

    Raises:
        RuntimeError: if a worker fails, dies, or gives nothing for `SECONDS_TO_WAIT`.
    """
    loader: DataLoader[Samples] = DataLoader(
        samples,  # type: ignore[arg-type]  # torch asks for no more of a data set
        batch_sampler=batches,
        collate_fn=_as_it_is,  # `__getitems__` gives a batch, not a list
        num_workers=workers,
        pin_memory=pin_memory,
        worker_init_fn=_start_worker,
        timeout=SECONDS_TO_WAIT if workers else 0,
        # Its own generator: the default draws from the global one, which would change dropout.
        generator=torch.Generator(),
    )
    with stop_signals_wait():
        iterator = iter(loader)
    try:
        yield from iterator
    finally:
        # The traceback of an error would keep the iterator, and with it the processes, alive until Python ends.
        if workers:
            iterator._shutdown_workers()  # type: ignore[attr-defined]
            for worker in iterator._workers:  # type: ignore[attr-defined]
                worker.kill()  # One that hangs does not end when asked, and Python would wait for it for ever.


def _as_it_is(batch: Samples) -> Samples:
    return batch


def _start_worker(worker: int) -> None:
    outlive_stop_signals()
    torch.set_num_threads(1)
