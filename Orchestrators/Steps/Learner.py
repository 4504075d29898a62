"""A network that learns, and everything that belongs to its learning."""

import contextlib
import dataclasses
import logging
import warnings
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from Configuration.TrainingConfiguration import TrainingConfiguration
from Orchestrators.Steps.optimization import RunningSchedule, build_optimizer, run_schedule
from Orchestrators.Steps.Updater import Updater
from Orchestrators.Steps.WeightAverage import WeightAverage
from Utilities.devices import check_compiler
from Utilities.distributed import ALONE, Ranks

_LOGGER = logging.getLogger(__name__)
Precision = Literal['float32', 'bfloat16', 'float16']


class Share(NamedTuple):
    """The place of a batch in the run, and what this process has of it."""

    epoch: int
    """From 1 on."""

    batch: int
    """Which of the epoch, from 1 on."""

    batches: int
    """Of an epoch."""

    samples: int
    """In the batch, of all processes."""

    own: int
    """Of these, the ones of this process."""

    @property
    def is_last(self) -> bool:
        """Whether the epoch ends with this batch."""
        return self.batch == self.batches

    @property
    def part(self) -> float:
        """Of the samples, as a fraction; 0 for a process that takes part with a sample that is another's."""
        return self.own / self.samples

    @property
    def step(self) -> int:
        """Which batch of the run it is, from 1 on."""
        return (self.epoch - 1) * self.batches + self.batch


@dataclasses.dataclass(frozen=True)
class LearnerSettings:
    """How a network computes and is updated. Each is described where a recipe sets it."""

    accumulate: int = 1
    clip_gradient: float | None = None
    ema_decay: float | None = None
    precision: Precision = 'float32'
    channels_last: bool = False
    compile: bool = False

    @property
    def dtype(self) -> torch.dtype:
        """What `precision` is to torch."""
        return {'float32': torch.float32, 'bfloat16': torch.bfloat16, 'float16': torch.float16}[self.precision]


_PLAIN = LearnerSettings()


class Learner:
    """A network with its optimizer, schedule, average, loss scaler and form for several processes.

    A step calls it like the network, makes a loss of what it answers, and lets it `learn`:

        colors = self.learner(batch.lr, batch.coord, batch.cell)
        self.learner.learn(loss(colors, batch.hr), share)

    Of the network it asks two things, if it has them: `image_layers`, the part that `channels_last` is for (else all of
    it), and `unused_weights`, whether some weights may take no part in a batch (else none).

    Args:
        network: what learns.
        optimizer: changes it.
        make_schedule: from an epoch's updates to the schedule of the optimizer.
        settings: how it computes and is updated.
        ranks: the processes that learn together, each from its part of every batch.
    """

    schedule: RunningSchedule

    def __init__(
        self,
        network: nn.Module,
        optimizer: Optimizer,
        make_schedule: Callable[[int], RunningSchedule],
        settings: LearnerSettings = _PLAIN,
        ranks: Ranks = ALONE,
    ) -> None:
        self.network = network
        self.optimizer = optimizer
        self._make_schedule = make_schedule
        self._settings = settings
        self._ranks = ranks
        self._updater = Updater(
            network,
            optimizer,
            accumulate=settings.accumulate,
            clip_gradient=settings.clip_gradient,
            scales_loss=settings.precision == 'float16',
            ranks=ranks,
        )
        self._average: WeightAverage | None = None
        if settings.channels_last:
            getattr(network, 'image_layers', network).to(memory_format=torch.channels_last)
        # It shares the weights, and leaves the network itself as it is, for validation.
        self._computed = self._compiled(network)
        self._shared: DistributedDataParallel | None = None
        self._statistics: list[Tensor] = []

    def start(self, batches_per_epoch: int) -> None:
        """Called once, before all else but a change of the weights.

        Raises:
            ValueError: if an epoch has fewer batches than one update.
        """
        accumulate = self._settings.accumulate
        if accumulate > batches_per_epoch:
            raise ValueError(
                f'accumulate must be at most {batches_per_epoch}, the batches of an epoch, got {accumulate}.'
            )
        if not self._ranks.is_alone:
            self._share_out()
        self.schedule = self._make_schedule(-(-batches_per_epoch // accumulate))
        if self._settings.ema_decay is not None:
            self._average = WeightAverage(self.network, self._settings.ema_decay)

    def begin(self, share: Share) -> None:
        """Called before each batch."""
        self.network.train()
        if self._shared is not None:
            # Between updates, each process adds up gradients of its own.
            self._shared.require_backward_grad_sync = self._updater.completes(share.batch, is_last=share.is_last)

    def __call__(self, *inputs: Tensor | None, **named: Any) -> Any:  # noqa: ANN401  what the network answers
        """What the network answers, in float32, computed as the settings want it. Its gradients reach the weights."""
        if self._settings.channels_last:
            inputs = tuple(_channels_last(each) for each in inputs)
        with self._autocast():
            answer = self._computed(*inputs, **named)
        return answer.float() if isinstance(answer, Tensor) else tuple(part.float() for part in answer)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[nn.Module]:
        """The bare network in training mode, through which gradients go to what it is given, not to its weights.

        Bare, as the form for several processes waits for a gradient of every weight. It computes in the precision of
        the settings: where that is a half one, so is its answer.
        """
        weights = [weight for weight in self.network.parameters() if weight.requires_grad]
        for weight in weights:
            weight.requires_grad_(False)
        try:
            with self._autocast():
                yield self.network
        finally:
            for weight in weights:
                weight.requires_grad_(True)

    def learn(self, loss: Tensor, share: Share) -> bool:
        """Go backward from a loss, and with the last batch of an update change the weights.

        Args:
            loss: mean over this process's part of the batch.
            share: what that part is.

        Returns:
            Whether this completed an update.

        Raises:
            FloatingPointError: if the loss or a gradient is not finite, on a GPU possibly some batches later; the
                weights are left as they were before that batch.
        """
        total = self._ranks.mean_of({'loss': loss.detach()}, share.part)['loss']
        # All processes' gradients will be averaged, as if each had the same number of samples.
        part = loss if self._ranks.is_alone else loss * (share.part * self._ranks.size)
        is_complete = self._updater.learn(part, share.samples, batch=share.batch, is_last=share.is_last, total=total)
        self._take_means_of_statistics()
        if is_complete:
            if self._average is not None:
                self._average.update()
            self.schedule.end_batch()
        return is_complete

    def settle(self) -> None:
        """Wait until it is known that all batches so far were sound.

        Raises:
            FloatingPointError: as `learn`.
        """
        self._updater.settle()

    def end_epoch(self, score: float | None) -> None:
        """Let the schedule go on.

        Args:
            score: of the epoch's validation, higher is better; None if there was none, or it has none.
        """
        self.schedule.end_epoch(score)

    @property
    def used(self) -> nn.Module:
        """The network that is validated, saved and used: the average where there is one."""
        return self.network if self._average is None else self._average.network

    @property
    def size(self) -> int:
        """How many numbers the network learns."""
        return sum(parameter.numel() for parameter in self.network.parameters())

    @property
    def rate(self) -> float:
        """The present step size."""
        return float(self.optimizer.param_groups[0]['lr'])

    @property
    def gradient_norm(self) -> Tensor:
        """Norm of the gradient of all weights in the last batch, before it was clipped."""
        return self._updater.gradient_norm

    def state(self) -> dict[str, dict[str, Any]]:
        """Everything that learning goes on from: `network`, `optimizer`, `schedule`, `updater`; an `average` if it has.

        Raises:
            FloatingPointError: as `settle`, which it does first.
        """
        self.settle()
        average = {} if self._average is None else {'average': self._average.network.state_dict()}
        return average | {
            'network': self.network.state_dict(),
            'optimizer': self.optimizer.state_dict(),
            'schedule': self.schedule.state_dict(),
            'updater': self._updater.state(),
        }

    def load_state(self, state: dict[str, dict[str, Any]]) -> None:
        """The inverse of `state`."""
        self.network.load_state_dict(state['network'])
        if self._average is not None:
            self._average.network.load_state_dict(state['average'])
        # How the update is computed follows from this device, not from the one that the file was written on.
        own = {'fused': self.optimizer.defaults.get('fused')}
        groups = [group | own for group in state['optimizer']['param_groups']]
        self.optimizer.load_state_dict(state['optimizer'] | {'param_groups': groups})
        self.schedule.load_state_dict(state['schedule'])
        self._updater.load_state(state['updater'])

    def _autocast(self) -> torch.autocast:
        device = next(self.network.parameters()).device
        dtype = self._settings.dtype
        return torch.autocast(device.type, dtype, enabled=dtype != torch.float32)

    def _compiled(self, module: nn.Module) -> nn.Module:
        return torch.compile(module) if self._settings.compile else module  # type: ignore[return-value]

    def _share_out(self) -> None:
        """The network's form for several processes: gradients become the means over all as they are made."""
        device = next(self.network.parameters()).device
        if device.type == 'cuda':
            self.network = nn.SyncBatchNorm.convert_sync_batchnorm(self.network)
        norms = [
            module
            for module in self.network.modules()
            if isinstance(module, _NormBase) and not isinstance(module, nn.SyncBatchNorm)
        ]
        self._statistics = [
            buffer for norm in norms for buffer in (norm.running_mean, norm.running_var) if buffer is not None
        ]
        if norms:
            _LOGGER.info(
                f'{type(self.network).__name__} normalizes over the batch: each of the {self._ranks.size} processes '
                'over its own samples, so the results differ from those of one process.'
            )
        with warnings.catch_warnings():
            # Newer versions of torch have another name for `broadcast_buffers`, which the older ones do not know.
            warnings.simplefilter('ignore', FutureWarning)
            self._shared = DistributedDataParallel(
                self.network,
                device_ids=[device.index] if device.type == 'cuda' else None,
                # Else two answers before one backward, as a discriminator gives, would fail: the second would change
                # what the first needs. Statistics are brought together after each batch instead.
                broadcast_buffers=False,
                find_unused_parameters=getattr(self.network, 'unused_weights', False),
            )
        self._computed = self._compiled(self._shared)

    @torch.no_grad()
    def _take_means_of_statistics(self) -> None:
        """Give running statistics of the batches the means over all processes, so that all have one network."""
        if not self._statistics:
            return
        means = self._ranks.add_up(torch.cat([each.flatten() for each in self._statistics])) / self._ranks.size
        for statistic, mean in zip(
            self._statistics, means.split([each.numel() for each in self._statistics]), strict=True
        ):
            statistic.copy_(mean.view_as(statistic))


def _channels_last(tensor: Tensor | None) -> Tensor | None:
    is_image = tensor is not None and tensor.ndim == 4  # noqa: PLR2004
    return tensor.contiguous(memory_format=torch.channels_last) if tensor is not None and is_image else tensor


def build_learner(network: nn.Module, recipe: TrainingConfiguration, ranks: Ranks = ALONE) -> Learner:
    """A network, on the device that it is to learn on, with the recipe's optimizer, schedule and settings.

    Raises:
        ValueError: for `compile` where nothing can be compiled.
    """
    device = next(network.parameters()).device
    if recipe.compile:
        check_compiler(device)
    optimizer = build_optimizer(recipe.optimizer, network, recipe.learning_rate)
    settings = LearnerSettings(
        accumulate=recipe.accumulate,
        clip_gradient=recipe.clip_gradient,
        ema_decay=recipe.ema_decay,
        precision=recipe.precision,
        channels_last=recipe.channels_last,
        compile=recipe.compile,
    )

    def make_schedule(updates_per_epoch: int) -> RunningSchedule:
        return run_schedule(recipe.schedule, optimizer, epochs=recipe.epochs, updates_per_epoch=updates_per_epoch)

    return Learner(network, optimizer, make_schedule, settings, ranks)
