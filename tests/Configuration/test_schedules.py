"""Schedules are values that check themselves; what they compute is tested in tests/Orchestrators/Steps."""

import dataclasses
import pickle
import typing
from typing import Any

import pytest

import Configuration
from Configuration import Constant, Cosine, CosineRestarts, MultiStep, ReduceOnPlateau, TrainSimple
from Configuration.schedules import BaseSchedule, Schedule
from Configuration.settings.RunSettings import RunSettings


def test_every_schedule_is_offered_and_says_what_it_depends_on() -> None:
    kinds = typing.get_args(Schedule)
    assert set(kinds) == set(BaseSchedule.__subclasses__())
    for kind in kinds:
        assert getattr(Configuration, kind.__name__) is kind
        assert set(kind.decisive) <= {field.name for field in dataclasses.fields(RunSettings)}  # type: ignore[arg-type]


def test_a_schedule_is_a_value_that_may_be_given_by_position() -> None:
    schedule = MultiStep((50_000, 100_000), counted='updates')
    assert schedule == MultiStep(milestones=(50_000, 100_000), gamma=0.5, counted='updates')
    assert repr(schedule) == "MultiStep((50000, 100000), counted='updates')"
    assert eval(repr(schedule)) == schedule
    assert pickle.loads(pickle.dumps(schedule)) == schedule
    assert len({schedule, Cosine(), Cosine(0.0), Constant()}) == 3


@pytest.mark.parametrize(
    ('kind', 'arguments', 'settings', 'message'),
    [
        (MultiStep, ((40, 20),), {}, r'milestones must rise, got \(40, 20\), not \(20, 40\)'),
        (MultiStep, ((20, 20),), {}, r'milestones must rise, got \(20, 20\), not \(20,\)'),
        (MultiStep, ((),), {}, r'milestones must hold at least one, got none: write schedule = Constant\(\)'),
        (MultiStep, ((20,),), {'warmup': 20}, r'after the warm-up of 20 epochs, got \(20,\)'),
        (MultiStep, (20,), {}, r'MultiStep.milestones must be a tuple .* got 20. Did you mean milestones = \(20,\)\?'),
        (MultiStep, ([20, 40],), {}, r'Did you mean milestones = \(20, 40\)\?'),
        (MultiStep, (20, 40, 60), {}, r'MultiStep\(milestones, gamma\) takes no more settings without a name, got 20'),
        (MultiStep, ((20,), 2), {}, 'gamma must be a finite number from 0 to 1, got 2. Did you mean gamma = 1'),
        (Cosine, (), {'warmpu': 3}, "Cosine has no setting 'warmpu'. Did you mean 'warmup'"),
        (Cosine, (), {'counted': 'update'}, "got 'update'. Did you mean counted = 'updates'"),
        (CosineRestarts, (0,), {}, 'CosineRestarts.first_period must be a whole number at least 1, got 0.'),
        (ReduceOnPlateau, (1.0,), {}, 'gamma must be below 1, such as 0.5, got 1'),
    ],
)  # fmt: skip
def test_a_schedule_that_can_not_be_is_refused(
    kind: type[BaseSchedule], arguments: tuple[Any, ...], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        kind(*arguments, **settings)


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'schedule': 'Cosine'}, r'schedule must be one of Constant\(\), MultiStep\(milestones, gamma\), Cosine\(min.* '
                                 r"got 'Cosine'. Did you mean schedule = Cosine\(minimum_rate=0.0\)\?"),
        ({'schedule': 'cosine'}, r'Did you mean schedule = Cosine\(minimum_rate=0.0\)\?'),
        ({'schedule': Cosine}, r'Did you mean schedule = Cosine\(minimum_rate=0.0\)\?'),
        ({'schedule': MultiStep}, r'Did you mean schedule = MultiStep\(milestones=…\)\?'),
        ({'milestones': (20,)}, r"no setting 'milestones'. It is part of schedule, such as schedule = MultiStep\(mil"),
        ({'gamma': 0.1}, 'It is part of schedule'),
        ({'warmup_epochs': 5}, 'It is part of schedule'),
        ({'minimum_rate': 0.1}, 'It is part of schedule'),
        ({'patience': 3}, r'It is part of schedule, such as schedule = ReduceOnPlateau\(patience=…\)'),
    ],
)  # fmt: skip
def test_what_is_no_schedule_gets_a_hint(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainSimple(**settings)
    with pytest.raises(ValueError, match=message):
        type('TrainWrong', (TrainSimple,), settings)
