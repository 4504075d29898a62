"""A run that was stopped and resumed has the learning rates of one that was not, to the last bit (FAULTS case 16).

No training: the optimizer and the schedule only, by the calls that the orchestrator makes.
"""

import dataclasses
import io
import itertools
import math
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import Configuration
from Configuration import TrainSimple
from Configuration.schedules import (
    Constant,
    Cosine,
    CosineRestarts,
    Cyclic,
    MultiStep,
    OneCycle,
    ReduceOnPlateau,
    Schedule,
)
from Configuration.TrainingConfiguration import TrainingConfiguration
from Models import RecipeType
from Orchestrators.Steps.Learner import Learner
from Orchestrators.Steps.optimization import RunningSchedule, run_schedule
from Orchestrators.Steps.TrainingStep import TrainingStep
from Orchestrators.Training.resuming import schedule_of

BATCHES = 3
SHORT: tuple[Schedule, ...] = (
    MultiStep((2, 3, 7), gamma=0.3),
    Cosine(minimum_rate=1e-6),
    CosineRestarts(first_period=2, growth=2, minimum_rate=1e-6),
    OneCycle(),
    Cyclic(period=3, minimum_rate=1e-6),
    ReduceOnPlateau(patience=1, gamma=0.3),
)
IN_UPDATES: tuple[Schedule, ...] = (
    MultiStep((4, 8, 20), gamma=0.3, counted='updates'),
    Cosine(minimum_rate=1e-6, counted='updates'),
    CosineRestarts(first_period=4, growth=2, minimum_rate=1e-6, counted='updates'),
    Cyclic(period=7, minimum_rate=1e-6, counted='updates'),
)


class OneWeight(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))


class RatesOnly(TrainingStep[Any]):
    """A step without a network: one weight, whose gradient stays zero."""

    def __init__(self, recipe: TrainingConfiguration) -> None:
        network = OneWeight()
        optimizer = torch.optim.SGD(network.parameters(), lr=recipe.learning_rate)

        def make_schedule(updates: int) -> RunningSchedule:
            return run_schedule(recipe.schedule, optimizer, epochs=recipe.epochs, updates_per_epoch=updates)

        self.learner = Learner(network, optimizer, make_schedule)
        super().__init__({'weight': self.learner})
        self.start(BATCHES)

    def run(self, *_: object) -> Any:
        raise NotImplementedError

    def learn(self) -> None:
        self.learner.optimizer.step()
        self.learner.schedule.end_batch()


def from_a_file(step: RatesOnly, recipe: TrainingConfiguration) -> RatesOnly:
    """As a process that starts anew, with what the checkpoint says."""
    file = io.BytesIO()
    torch.save(step.state(), file)
    file.seek(0)
    resumed = RatesOnly(recipe)
    resumed.load_state(**torch.load(file, weights_only=True))
    return resumed


def without_the_schedule(step: RatesOnly, recipe: TrainingConfiguration) -> RatesOnly:
    """The mistake that these tests are to find."""
    resumed = RatesOnly(recipe)
    resumed.learner.optimizer.load_state_dict(step.learner.optimizer.state_dict())
    resumed.learner.optimizer._opt_called = True  # type: ignore[attr-defined]  # else torch warns
    return resumed


def psnr_after(epoch: int) -> float | None:
    """Rises, falls, and is missing after each fourth epoch."""
    return None if epoch % 4 == 3 else 30 + math.sin(epoch) - epoch / 5


def rates(
    recipe: TrainingConfiguration,
    stops: Collection[tuple[int, int]] = (),
    resume: Callable[[RatesOnly, TrainingConfiguration], RatesOnly] = from_a_file,
) -> list[float]:
    """The rate of each batch; after the batches in `stops`, the run is stopped and resumed.

    Batch 0 is a stop between epochs; a stop after the last batch is one before the epoch's validation.
    """
    step = RatesOnly(recipe)
    result = []
    for epoch in range(recipe.epochs):
        for batch in range(BATCHES):
            if (epoch, batch) in stops:
                step = resume(step, recipe)
            result.append(step.learner.rate)
            step.learn()
        if (epoch, BATCHES) in stops:
            step = resume(step, recipe)
        step.end_epoch(psnr_after(epoch))
    return result


def all_stops(recipe: TrainingConfiguration) -> list[tuple[int, int]]:
    return list(itertools.product(range(recipe.epochs), range(BATCHES + 1)))


@pytest.mark.parametrize('warmup', [0, 1])
@pytest.mark.parametrize('schedule', SHORT + IN_UPDATES, ids=repr)
def test_every_schedule_stopped_anywhere_goes_on(schedule: Schedule, warmup: int) -> None:
    recipe = TrainSimple(schedule=dataclasses.replace(schedule, warmup=warmup), epochs=9)
    expected = rates(recipe)
    assert len(expected) == 9 * BATCHES
    assert len(set(expected)) > 2
    for stop in all_stops(recipe):
        assert rates(recipe, [stop]) == expected, stop


# By version 0.1.0+3460dae, whose schedules were flat settings: nine epochs of three updates, all rates, and what a
# checkpoint holds after the first update of epoch 5.
FLAT = torch.load(Path(__file__).parents[1] / 'references' / 'flat_schedules.pth', weights_only=True)
FLAT_TODAY: tuple[Schedule, ...] = (
    MultiStep((3, 4, 7), gamma=0.3),
    Cosine(minimum_rate=1e-6),
    CosineRestarts(first_period=2, growth=2, minimum_rate=1e-6),
    OneCycle(),
    Cyclic(period=3, minimum_rate=1e-6),
    ReduceOnPlateau(patience=0, gamma=0.3, minimum_rate=1e-6),
    Constant(),
)


@pytest.mark.parametrize('number', range(14))
def test_a_schedule_of_flat_settings_goes_on_as_it_would_have_then(number: int) -> None:
    stored, warmup = FLAT[number], 2 * (number // 7)
    schedule = dataclasses.replace(FLAT_TODAY[number % 7], warmup=warmup, warmup_start=0.25 if warmup else 0.1)
    recipe = TrainSimple(schedule=schedule, epochs=9)
    flat = stored['configuration'] | ({} if warmup else {'warmup_start': 0.1})
    assert schedule_of(flat) == recipe.to_dict()['schedule']
    step = RatesOnly(recipe)
    step.learner.optimizer.param_groups[0]['lr'] = stored['optimizer']['param_groups'][0]['lr']
    step.learner.schedule.load_state_dict(stored['schedule'])
    found = []
    for epoch, batch in itertools.product(range(9), range(BATCHES)):
        if (epoch, batch) >= (4, 1):
            found.append(step.learner.rate)
            step.learn()
            if batch == BATCHES - 1:
                step.end_epoch(None if epoch % 4 == 3 else 30.0 - epoch)
    assert found == stored['rates'][13:]


@pytest.mark.parametrize('member', RecipeType, ids=lambda member: member.name)
def test_every_recipe_stopped_everywhere_goes_on(member: RecipeType) -> None:
    """At full length, stopped after each batch: whatever one stop changed, the rates after it would show."""
    recipe = getattr(Configuration, f'Train{member.name}')()
    expected = rates(recipe)
    assert len(set(expected)) > 3
    assert rates(recipe, set(all_stops(recipe)), in_memory) == expected


def in_memory(step: RatesOnly, recipe: TrainingConfiguration) -> RatesOnly:
    """Thousands of times, so not by way of a file."""
    resumed = RatesOnly(recipe)
    resumed.load_state(**step.state())
    return resumed


def replayed(step: RatesOnly, recipe: TrainingConfiguration) -> RatesOnly:
    """LIIF's way: the optimizer with the rate that it has come to, and a new schedule, stepped through all again."""
    resumed = without_the_schedule(step, recipe)
    for _ in range(step.learner.schedule.state_dict()['scheduler']['last_epoch']):
        resumed.learner.schedule.end_epoch(None)
    return resumed


@pytest.mark.parametrize(
    ('schedule', 'mistake'),
    [*((schedule, without_the_schedule) for schedule in SHORT + IN_UPDATES), (SHORT[0], replayed)],
)
def test_a_schedule_that_is_not_resumed_would_be_found(
    schedule: Schedule, mistake: Callable[[RatesOnly, TrainingConfiguration], RatesOnly]
) -> None:
    """The negative controls: with the optimizer's state alone, or replayed, the rates differ after many stops."""
    recipe = TrainSimple(schedule=schedule, epochs=9)
    expected = rates(recipe)
    stops = all_stops(recipe)
    found = [stop for stop in stops if rates(recipe, [stop], mistake) != expected]
    assert len(found) > len(stops) / 4


def test_the_unit_of_each_schedule() -> None:
    """Per epoch: one rate in an epoch. Per batch: another one after each."""
    for schedule in SHORT:
        recipe = TrainSimple(schedule=schedule, epochs=9)
        found = rates(recipe)
        first_epochs = [len(set(found[epoch * BATCHES : (epoch + 1) * BATCHES])) for epoch in range(3)]
        per_batch = isinstance(schedule, OneCycle | Cyclic)
        assert max(first_epochs) == (BATCHES if per_batch else 1), schedule
