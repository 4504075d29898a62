"""Numbers that are not finite are kept from the weights, on a GPU without waiting for it."""

import torch
from torch import Tensor


class NotFiniteError(FloatingPointError):
    """A batch whose loss or gradient is not finite; the weights are as they were before it."""

    def __init__(self, batch: int, loss: float, norm: float) -> None:
        super().__init__(f'loss is {loss}, norm of the gradient is {norm}')
        self.batch = batch
        """Which of the epoch, from 1 on."""


class FiniteCheck:
    """Looks at the loss and the gradient of each batch before they are used.

    On the spot, it raises at once. Deferred, it says on the device that this update and all later ones are to be
    skipped, and raises some batches later, when what the device found has come over by itself; or when asked to settle.

    Args:
        device: where losses are.
        deferred: do not wait for the device.
        look_every: deferred, look every so many batches, and wait for the device then. Of several processes all have to
            find out at the same batch. None: whenever it has come over.
    """

    def __init__(self, device: torch.device, *, deferred: bool, look_every: int | None = None) -> None:
        self._look_every = look_every
        self.deferred = deferred
        # Whether a batch was bad, which one, its loss and norm; of the first such batch, else of the last one.
        self._found = torch.zeros(4, dtype=torch.float64, device=device)
        on_gpu = device.type == 'cuda'
        self._seen = torch.zeros(4, dtype=torch.float64, pin_memory=on_gpu and deferred)
        self._arrival = torch.cuda.Event() if on_gpu and deferred else None
        self._is_under_way = False

    def note(self, batch: int, loss: Tensor, norm: Tensor, *, norm_may_overflow: bool = False) -> Tensor | None:
        """Look at a batch.

        Args:
            batch: which of the epoch, from 1 on.
            loss: its loss.
            norm: norm of the gradient.
            norm_may_overflow: only the loss has to be finite.

        Returns:
            Deferred: 1.0 if the weights have to stay as they are, else 0.0. On the spot: None, they may change.

        Raises:
            NotFiniteError: for this batch, or deferred for an earlier one.
        """
        loss, norm = loss.detach(), norm.detach()
        suspect = loss if norm_may_overflow else loss + norm
        if not self.deferred:
            # One look at both.
            if not torch.isfinite(suspect):
                raise NotFiniteError(batch, loss.item(), norm.item())
            return None
        self._look(batch)
        is_bad = (~torch.isfinite(suspect)).double()
        now = torch.stack([is_bad, is_bad.new_full((), batch), loss.double(), norm.double()])
        self._found = torch.where(self._found[0] > 0, self._found, now)
        return self._found[0].float()

    def settle(self) -> None:
        """Wait until all batches noted so far are known to be sound.

        Raises:
            NotFiniteError: if one is not.
        """
        if self.deferred:
            self._seen.copy_(self._found)
            self._raise_if_bad()

    def _look(self, batch: int) -> None:
        if self._look_every is None:
            self._look_without_waiting()
        elif batch % self._look_every == 0:
            self.settle()

    def _look_without_waiting(self) -> None:
        if self._is_under_way:
            if self._arrival is not None and not self._arrival.query():
                return
            self._raise_if_bad()
        self._seen.copy_(self._found, non_blocking=True)
        if self._arrival is not None:
            self._arrival.record()
        self._is_under_way = True

    def _raise_if_bad(self) -> None:
        # As an array: a tensor's own reading is what counts as waiting for the device.
        is_bad, batch, loss, norm = self._seen.numpy().tolist()
        if is_bad:
            raise NotFiniteError(int(batch), loss, norm)
