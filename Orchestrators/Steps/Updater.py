"""From losses to changed weights."""

import logging
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from Orchestrators.Steps.FiniteCheck import FiniteCheck
from Utilities.distributed import ALONE, Ranks

_LOGGER = logging.getLogger(__name__)

# Begins at 2^16, and halves with each skipped update: gradients that overflow even so are not large, but wrong.
_SMALLEST_LOSS_SCALE = 2.0**-10
_BATCHES_BETWEEN_LOOKS = 16


class Updater:
    """Goes backward from losses, adds up gradients over batches, checks and clips them, and lets the optimizer step.

    A fused optimizer can skip an update on the device, so with one the check of the numbers waits for nothing.

    Args:
        network: whose weights change.
        optimizer: changes them.
        accumulate: batches whose gradients make one update.
        clip_gradient: largest norm of the gradient; None: any.
        scales_loss: so that small gradients do not vanish in float16.
        ranks: the processes whose gradients have one mean, by the time that an update is complete.
    """

    gradient_norm: Tensor
    """Of the last batch, before it was clipped."""

    def __init__(  # noqa: PLR0913
        self,
        network: nn.Module,
        optimizer: Optimizer,
        *,
        accumulate: int = 1,
        clip_gradient: float | None = None,
        scales_loss: bool = False,
        ranks: Ranks = ALONE,
    ) -> None:
        self._ranks = ranks
        self._accumulate = accumulate
        self._clip_gradient = clip_gradient
        self._parameters = dict(network.named_parameters())
        self._optimizer = optimizer
        device = next(iter(self._parameters.values())).device
        self._check = FiniteCheck(
            device,
            deferred=bool(optimizer.defaults.get('fused')),
            look_every=None if ranks.is_alone else _BATCHES_BETWEEN_LOOKS,
        )
        self._scaler = torch.amp.GradScaler(device.type) if scales_loss else None
        self._samples = 0
        """Whose gradients are added up and wait for their update."""
        self._skipped: Tensor | int = 0

    def completes(self, batch: int, *, is_last: bool) -> bool:
        """Whether a batch, counted from 1, is the last one of an update."""
        return is_last or batch % self._accumulate == 0

    def learn(  # noqa: PLR0913
        self, loss: Tensor, samples: int, *, batch: int, is_last: bool, total: Tensor | None = None
    ) -> bool:
        """Learn from a batch.

        Args:
            loss: mean over the batch.
            samples: in the batch.
            batch: which of the epoch, from 1 on.
            is_last: of the epoch, so that there is nothing to wait for.
            total: loss over the batch of all processes, if `loss` is the part of one.

        Returns:
            Whether this completed an update.

        Raises:
            FloatingPointError: as `FiniteCheck` does.
        """
        self._go_backward(loss, samples)
        is_complete = self.completes(batch, is_last=is_last)
        gradients = self._gradients()
        if is_complete:
            self._take_means(gradients)
        norm = torch.nn.utils.get_total_norm(gradients)
        self.gradient_norm = norm.detach()
        # Those of one process alone, before they are brought together: here only finite or not.
        noted = norm if is_complete else self._ranks.add_up(norm)
        is_bad = self._check.note(
            batch, loss if total is None else total, noted, norm_may_overflow=self._scaler is not None
        )
        if is_complete:
            self._update(norm, is_bad)
            self._samples = 0
        return is_complete

    def settle(self) -> None:
        """Wait until all batches so far are known to be sound; say how many updates were skipped.

        Raises:
            FloatingPointError: if a batch was not, or no scale of the loss keeps gradients from overflowing.
        """
        self._check.settle()
        skipped, self._skipped = int(self._skipped), 0
        if self._scaler is None or not skipped:
            return
        scale = self._scaler.get_scale()
        if scale < _SMALLEST_LOSS_SCALE:
            raise FloatingPointError(
                f'gradients are not finite in float16, however the loss is scaled (now by {scale:g}). '
                "Set precision = 'bfloat16' or 'float32'."
            )
        _LOGGER.warning(
            f'{skipped} updates were skipped, as their gradients overflowed in float16; the loss is scaled by '
            f'{scale:g} now.'
        )

    def state(self) -> dict[str, Any]:
        """What the optimizer's own state lacks; empty between updates, unless there is a scale."""
        state: dict[str, Any] = {}
        if self._scaler is not None:
            state['scaler'] = self._scaler.state_dict()
        if self._samples:
            # In the middle of an update, so that resuming repeats no batch.
            gradients = {
                name: self._mean(weight.grad) for name, weight in self._parameters.items() if weight.grad is not None
            }
            state |= {'samples': self._samples, 'gradients': gradients}
        return state

    def load_state(self, state: dict[str, Any]) -> None:
        """The inverse of `state`."""
        if self._scaler is not None:
            self._scaler.load_state_dict(state['scaler'])
        self._samples = state.get('samples', 0)
        for name, gradient in state.get('gradients', {}).items():
            self._parameters[name].grad = torch.empty_like(self._parameters[name]).copy_(gradient)

    def _go_backward(self, loss: Tensor, samples: int) -> None:
        if self._samples == 0:
            self._optimizer.zero_grad(set_to_none=True)
        if self._accumulate > 1:
            loss = loss * samples
        if self._scaler is not None:
            loss = self._scaler.scale(loss)
        loss.backward()
        self._samples += samples

    def _mean(self, gradient: Tensor) -> Tensor:
        return gradient if self._ranks.is_alone else self._ranks.add_up(gradient) / self._ranks.size

    def _gradients(self) -> list[Tensor]:
        return [weight.grad for weight in self._parameters.values() if weight.grad is not None]

    @torch.no_grad()
    def _take_means(self, gradients: list[Tensor]) -> None:
        if self._scaler is not None:
            self._scaler.unscale_(self._optimizer)
        if self._accumulate > 1:
            torch._foreach_div_(gradients, self._samples)

    def _update(self, norm: Tensor, is_bad: Tensor | None) -> None:
        if self._clip_gradient is not None:
            torch.nn.utils.clip_grads_with_norm_(self._parameters.values(), self._clip_gradient, norm)
        if is_bad is not None:
            overflows = (~norm.isfinite()).float()
            self._step_unless(is_bad if self._scaler is None else torch.maximum(is_bad, overflows))
        elif self._scaler is None or torch.isfinite(norm):
            self._optimizer.step()
        else:
            self._skipped += 1
            # Else torch would warn of a schedule that goes on before the first update.
            self._optimizer._opt_called = True  # type: ignore[attr-defined]
        if self._scaler is not None:
            self._scaler.update()

    def _step_unless(self, skips: Tensor) -> None:
        """By the interface that torch has for its own `GradScaler`."""
        self._optimizer.found_inf = skips  # type: ignore[attr-defined]
        self._optimizer.step()
        del self._optimizer.found_inf  # type: ignore[attr-defined]
        if self._scaler is not None:
            self._skipped = self._skipped + skips
