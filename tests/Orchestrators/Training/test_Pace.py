import pytest

from Orchestrators.Training.Pace import Pace


class Clock:
    """Goes on when told to."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_waiting_and_learning_are_told_apart_and_the_rest_does_not_count() -> None:
    """Each batch takes 1 s to come and 3 s to learn from; a validation of 100 s follows each second one."""
    clock = Clock()
    pace = Pace(clock)

    def slow_batches() -> object:
        for number in range(6):
            clock.seconds += 1
            yield number

    seen = []
    for number in pace.take(slow_batches()):  # type: ignore[arg-type]
        clock.seconds += 3
        pace.end_step(8)
        seen.append(number)
        if number % 2:
            assert pace.loader_share == pytest.approx(1 / 4)
            assert pace.samples_per_second == pytest.approx(8 / 4)
            clock.seconds += 100
            pace.restart()
    assert seen == [0, 1, 2, 3, 4, 5]


def test_what_a_device_does_behind_the_last_step_counts() -> None:
    clock = Clock()
    pace = Pace(clock)
    for _ in pace.take([1, 2]):
        clock.seconds += 1
        pace.end_step(10)
    clock.seconds += 2
    pace.settle()
    assert pace.samples_per_second == pytest.approx(20 / 4)


def test_without_steps_there_is_no_pace() -> None:
    """As where a run goes on with the validation that ended it."""
    pace = Pace()
    pace.settle()
    assert pace.samples_per_second is None
    assert pace.loader_share is None
