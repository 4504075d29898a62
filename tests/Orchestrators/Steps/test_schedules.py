"""Each schedule's rates, by the formulas of its paper."""

import math
from collections.abc import Callable, Sequence

import pytest
import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from Configuration.schedules import Constant, Cosine, CosineRestarts, Cyclic, MultiStep, ReduceOnPlateau
from Orchestrators.Steps import optimization as schedules
from Orchestrators.Steps.optimization import RunningSchedule, run_schedule


def optimizer_with(rate: float) -> Optimizer:
    return torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=rate)


def rates_of(
    make: Callable[[Optimizer], LRScheduler], steps: int, psnr: Sequence[float | None] = (), **settings: int | float
) -> list[float]:
    """The rate of each step from 1.0 on, with one batch per epoch."""
    optimizer = optimizer_with(1.0)
    schedule = RunningSchedule(make(optimizer), **settings)  # type: ignore[arg-type]
    rates = []
    for step in range(steps):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        schedule.end_batch()
        schedule.end_epoch(psnr[step] if psnr else None)
    return rates


def half_cosine(step: float, steps: float, minimum: float = 0) -> float:
    return minimum + (1 - minimum) * (1 + math.cos(math.pi * step / steps)) / 2


def test_multi_step() -> None:
    rates = rates_of(lambda optimizer: schedules.multi_step(optimizer, (2, 3), 0.1), 5)
    assert rates == pytest.approx([1, 1, 0.1, 0.01, 0.01])


def test_cosine() -> None:
    """Down to the minimum where the run ends."""
    rates = rates_of(lambda optimizer: schedules.cosine(optimizer, 8, 0.2), 8)
    assert rates == pytest.approx([half_cosine(step, 8, 0.2) for step in range(8)], rel=1e-12)
    assert rates_of(lambda optimizer: schedules.cosine(optimizer, 1000, 0), 1000)[-1] < 3e-6


def test_warm_restarts() -> None:
    """T_0 = 3, T_mult = 2: periods of 3, 6 and 12."""
    rates = rates_of(lambda optimizer: schedules.cosine_restarts(optimizer, 3, 2, 0.1), 21)
    expected = [half_cosine(step, period, 0.1) for period in (3, 6, 12) for step in range(period)]
    assert rates == pytest.approx(expected, rel=1e-12)


def test_one_cycle() -> None:
    """Of 100 steps the 30th has the peak; half cosines on both sides; the ends are 1/25 and 1/250 000 of it."""
    rates = rates_of(lambda optimizer: schedules.one_cycle(optimizer, 100), 100, per_update=True)
    assert (rates[0], rates[29], rates[99]) == pytest.approx((1 / 25, 1, 1 / 250_000))
    assert rates[:30] == pytest.approx([half_cosine(29 - step, 29, 1 / 25) for step in range(30)])
    assert rates[29:] == pytest.approx([half_cosine(step, 70, 1 / 250_000) for step in range(71)])


def test_cyclic() -> None:
    rates = rates_of(lambda optimizer: schedules.cyclic(optimizer, 4, 0.2), 9, per_update=True)
    assert rates == pytest.approx([0.2, 0.6, 1, 0.6, 0.2, 0.6, 1, 0.6, 0.2])
    odd = rates_of(lambda optimizer: schedules.cyclic(optimizer, 5, 0), 6, per_update=True)
    assert odd == pytest.approx([0, 0.4, 0.8, 0.8, 0.4, 0])


@pytest.mark.parametrize(
    ('schedule', 'expected'),
    [
        (MultiStep((2, 5), gamma=0.1, counted='updates'), [1, 1, 0.1, 0.1, 0.1, 0.01]),
        (Cosine(0.2, counted='updates'), [half_cosine(step, 6, 0.2) for step in range(6)]),
        (Cosine(warmup=2, warmup_start=0.5, counted='updates'), [0.5, 0.75, *(half_cosine(n, 4) for n in range(4))]),
        (
            CosineRestarts(2, growth=2, counted='updates'),
            [half_cosine(n, period) for period in (2, 4) for n in range(period)],
        ),
        (Cyclic(4, 0.2, counted='updates'), [0.2, 0.6, 1, 0.6, 0.2, 0.6]),
        (Cyclic(2), [0, 1 / 3, 2 / 3, 1, 2 / 3, 1 / 3]),
        (Constant(warmup=2, warmup_start=0.5, counted='updates'), [0.5, 0.75, 1, 1, 1, 1]),
        (Constant(warmup=1, warmup_start=0.5), [0.5, 0.5, 0.5, 1, 1, 1]),
        (ReduceOnPlateau(patience=0, warmup=2, warmup_start=0.5, counted='updates'), [0.5, 0.75, 1, 1, 1, 1]),
    ],
    ids=repr,
)
def test_lengths_are_counted_in_epochs_or_updates(schedule: schedules.Schedule, expected: list[float]) -> None:
    """Two epochs of three updates."""
    optimizer = optimizer_with(1.0)
    running = run_schedule(schedule, optimizer, epochs=2, updates_per_epoch=3)
    rates = []
    for epoch in range(2):
        for _ in range(3):
            rates.append(optimizer.param_groups[0]['lr'])
            optimizer.step()
            running.end_batch()
        running.end_epoch(30.0 + epoch)
    assert rates == pytest.approx(expected, abs=1e-12)


def test_a_plateau_counts_validations_whatever_the_warm_up_counts() -> None:
    optimizer = optimizer_with(1.0)
    running = run_schedule(
        ReduceOnPlateau(patience=0, warmup=4, counted='updates'), optimizer, epochs=9, updates_per_epoch=3
    )
    rates = []
    for score in (40.0, 30.0, 31.0, 31.0, 32.0, 31.0):
        for _ in range(3):
            optimizer.step()
            running.end_batch()
        running.end_epoch(score)
        rates.append(optimizer.param_groups[0]['lr'])
    # The first score came while the rate still rose.
    assert rates == pytest.approx([0.775, 1, 1, 0.5, 0.5, 0.25])


def test_a_warm_up_that_takes_the_whole_run_is_refused() -> None:
    with pytest.raises(ValueError, match='warmup of the schedule must be less than 6, the updates of the run, got 6'):
        run_schedule(Constant(warmup=6, counted='updates'), optimizer_with(1.0), epochs=2, updates_per_epoch=3)


def test_the_momentum_of_adam_stays_as_it_is() -> None:
    for make in (lambda o: schedules.one_cycle(o, 10), lambda o: schedules.cyclic(o, 10, 0)):
        optimizer = optimizer_with(1.0)
        make(optimizer)
        assert optimizer.param_groups[0]['betas'] == (0.9, 0.999)


def test_reduce_on_plateau() -> None:
    """Patience 1: the second validation in a row that does not beat the best lowers the rate; None is none."""
    psnr = [20.0, 21.0, 21.0, None, 20.5, None, 20.9, 21.1, 21.0, 21.0, 21.0, 21.0]
    rates = rates_of(lambda optimizer: schedules.reduce_on_plateau(optimizer, 0.5, 1, 0.3), 12, psnr)
    assert rates == [1, 1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.3, 0.3]


@pytest.mark.parametrize('per_update', [False, True])
def test_a_warm_up_leads_to_the_schedules_first_rate(per_update: bool) -> None:
    rates = rates_of(
        lambda optimizer: schedules.cosine(optimizer, 4, 0),
        8, warmup_steps=4, warmup_start=0.2, per_update=per_update,
    )  # fmt: skip
    assert rates == pytest.approx([0.2, 0.4, 0.6, 0.8] + [half_cosine(step, 4) for step in range(4)])
    assert rates[4] == 1


def test_srnos_rates() -> None:
    """4e-5 rises to 4e-4 in 50 epochs, and falls to zero in 1000."""
    optimizer = optimizer_with(4e-4)
    schedule = RunningSchedule(schedules.cosine(optimizer, 1000, 0), warmup_steps=50, warmup_start=0.1)
    rates = []
    for _ in range(1050):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        schedule.end_epoch(None)
    assert (rates[0], rates[25], rates[50], rates[550]) == pytest.approx((4e-5, 2.2e-4, 4e-4, 2e-4))
    assert 0 < rates[-1] < 1e-8
