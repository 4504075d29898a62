"""Each schedule's rates, by the formulas of its paper."""

import math
from collections.abc import Callable, Sequence

import pytest
import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from Orchestrators.Steps import schedules
from Orchestrators.Steps.schedules import Schedule


def optimizer_with(rate: float) -> Optimizer:
    return torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=rate)


def rates_of(
    make: Callable[[Optimizer], LRScheduler], steps: int, psnr: Sequence[float | None] = (), **settings: int | float
) -> list[float]:
    """The rate of each step from 1.0 on, with one batch per epoch."""
    optimizer = optimizer_with(1.0)
    schedule = Schedule(make(optimizer), **settings)  # type: ignore[arg-type]
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
    rates = rates_of(lambda optimizer: schedules.one_cycle(optimizer, 100), 100, per_iteration=True)
    assert (rates[0], rates[29], rates[99]) == pytest.approx((1 / 25, 1, 1 / 250_000))
    assert rates[:30] == pytest.approx([half_cosine(29 - step, 29, 1 / 25) for step in range(30)])
    assert rates[29:] == pytest.approx([half_cosine(step, 70, 1 / 250_000) for step in range(71)])


def test_cyclic() -> None:
    rates = rates_of(lambda optimizer: schedules.cyclic(optimizer, 4, 0.2), 9, per_iteration=True)
    assert rates == pytest.approx([0.2, 0.6, 1, 0.6, 0.2, 0.6, 1, 0.6, 0.2])
    odd = rates_of(lambda optimizer: schedules.cyclic(optimizer, 5, 0), 6, per_iteration=True)
    assert odd == pytest.approx([0, 0.4, 0.8, 0.8, 0.4, 0])


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


@pytest.mark.parametrize('per_iteration', [False, True])
def test_a_warm_up_leads_to_the_schedules_first_rate(per_iteration: bool) -> None:
    rates = rates_of(
        lambda optimizer: schedules.cosine(optimizer, 4, 0),
        8, warmup_steps=4, warmup_start=0.2, per_iteration=per_iteration,
    )  # fmt: skip
    assert rates == pytest.approx([0.2, 0.4, 0.6, 0.8] + [half_cosine(step, 4) for step in range(4)])
    assert rates[4] == 1


def test_srnos_rates() -> None:
    """4e-5 rises to 4e-4 in 50 epochs, and falls to zero in 1000."""
    optimizer = optimizer_with(4e-4)
    schedule = Schedule(schedules.cosine(optimizer, 1000, 0), warmup_steps=50, warmup_start=0.1)
    rates = []
    for _ in range(1050):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        schedule.end_epoch(None)
    assert (rates[0], rates[25], rates[50], rates[550]) == pytest.approx((4e-5, 2.2e-4, 4e-4, 2e-4))
    assert 0 < rates[-1] < 1e-8
