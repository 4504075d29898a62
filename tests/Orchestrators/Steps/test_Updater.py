"""An update does what its settings say, and without them what it always did."""

import logging
from typing import Any

import pytest
import torch
from torch.nn import functional

from Datasets.TrainingCrops import TrainingBatch
from Models import DecoderType, EncoderType
from Orchestrators.Steps.FiniteCheck import NotFiniteError
from tests.tiny_networks import tiny
from tests.tiny_steps import TinyStep, tiny_batch, tiny_step, weights_of
from Utilities.Checkpoint import content_hash

SGD = torch.optim.SGD


def change_of(step: TinyStep, batches: list[TrainingBatch]) -> torch.Tensor:
    """What batches do to all weights together."""
    before = weights_of(step)
    for batch in batches:
        step.learn_from(batch)
    return torch.cat([(weight - before[name]).flatten() for name, weight in weights_of(step).items()])


def gradient_by_hand(batch: TrainingBatch) -> torch.Tensor:
    network = tiny(EncoderType.EDSR, DecoderType.LIIF).train()
    functional.l1_loss(network(batch.lr, batch.coord, batch.cell), batch.hr).backward()
    return torch.cat([weight.grad.flatten() for weight in network.parameters() if weight.grad is not None])


def test_without_settings_training_is_the_plain_loop() -> None:
    """Bit for bit: forward, L1, backward, Adam."""
    network = tiny(EncoderType.EDSR, DecoderType.LIIF).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    step = tiny_step()
    for seed in range(4):
        batch = tiny_batch(seed=seed)
        loss = functional.l1_loss(network(batch.lr, batch.coord, batch.cell), batch.hr)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert torch.equal(step.learn_from(batch)['loss'], loss)
    assert content_hash(step.state()['network']) == content_hash(network.state_dict())
    assert content_hash(step.learner.state()['optimizer']['state']) == content_hash(optimizer.state_dict()['state'])
    assert step.used is step.learner.network
    assert step.learner.state()['updater'] == {}


# Accumulation


def test_accumulated_gradients_are_those_of_all_samples_at_once() -> None:
    """Batches of different sizes: each sample counts the same, not each batch."""
    whole = tiny_batch(8)
    parts = [
        TrainingBatch(*(tensor[cut] for tensor in whole if tensor is not None))
        for cut in (slice(3), slice(3, 6), slice(6, 8))
    ]
    step = tiny_step(optimizer=SGD, rate=1.0, accumulate=3, batches=3)
    torch.testing.assert_close(change_of(step, parts), -gradient_by_hand(whole), atol=1e-6, rtol=1e-5)


def test_weights_change_at_each_groups_end_and_with_the_epochs_last_batch() -> None:
    step = tiny_step(accumulate=2, batches=5)
    for _ in range(2):
        changed = [bool(change_of(step, [tiny_batch(seed=seed)]).any()) for seed in range(5)]
        assert changed == [False, True, False, True, True]
        step.end_epoch(None)


def test_the_schedule_is_told_how_many_updates_an_epoch_has() -> None:
    told = []
    step = tiny_step(accumulate=2)
    step.learner._make_schedule = told.append  # type: ignore[assignment,func-returns-value]
    step.start(5)
    assert told == [3]


def test_more_batches_than_an_epoch_has_can_not_be_accumulated() -> None:
    with pytest.raises(ValueError, match='accumulate must be at most 3, the batches of an epoch, got 4'):
        tiny_step(accumulate=4, batches=3)


# Clipping


def test_a_longer_gradient_is_shortened_to_the_norm_and_keeps_its_direction() -> None:
    gradient = gradient_by_hand(tiny_batch())
    limit = gradient.norm().item() / 3
    change = change_of(tiny_step(optimizer=SGD, rate=1.0, clip_gradient=limit), [tiny_batch()])
    torch.testing.assert_close(change, -gradient / 3, atol=1e-6, rtol=1e-4)


def test_a_shorter_gradient_is_left_alone() -> None:
    limit = 2 * gradient_by_hand(tiny_batch()).norm().item()
    clipped, free = (tiny_step(clip_gradient=setting) for setting in (limit, None))
    assert torch.equal(change_of(clipped, [tiny_batch()]), change_of(free, [tiny_batch()]))


def test_the_mean_of_accumulated_gradients_is_what_is_clipped() -> None:
    limit = gradient_by_hand(tiny_batch(4)).norm().item() / 3
    whole = tiny_batch(4)
    parts = [TrainingBatch(*(tensor[cut] for tensor in whole if tensor is not None)) for cut in (slice(2), slice(2, 4))]
    step = tiny_step(optimizer=SGD, rate=1.0, clip_gradient=limit, accumulate=2)
    torch.testing.assert_close(change_of(step, parts), -gradient_by_hand(whole) / 3, atol=1e-6, rtol=1e-4)


# float16


def scale_of(step: TinyStep) -> float:
    return step.learner.state()['updater']['scaler']['scale']


def overflow_once(step: TinyStep) -> None:
    def overflow(gradient: torch.Tensor) -> torch.Tensor:
        handle.remove()
        return gradient * float('inf')

    handle = next(step.learner.network.parameters()).register_hook(overflow)


@pytest.mark.parametrize('accumulate', [1, 2])
@pytest.mark.parametrize('fused', [None, True])
def test_a_scaled_loss_gives_the_gradient_of_the_unscaled(fused: bool | None, accumulate: int) -> None:
    step = tiny_step(optimizer=SGD, rate=1.0, precision='float16', fused=fused, accumulate=accumulate)
    change = change_of(step, [tiny_batch()] * accumulate)
    gradient = gradient_by_hand(tiny_batch())
    # Half precision has 11 bits.
    assert (change + gradient).norm() < 0.02 * gradient.norm()


@pytest.mark.parametrize('settings', [{}, {'accumulate': 2}, {'clip_gradient': 0.1}])
@pytest.mark.parametrize('fused', [None, True])
def test_an_overflow_in_float16_skips_the_update_and_halves_the_scale(
    fused: bool | None, settings: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    step = tiny_step(precision='float16', fused=fused, batches=8, **settings)
    group = [tiny_batch(seed=seed) for seed in range(settings.get('accumulate', 1))]
    assert change_of(step, group).any()
    assert scale_of(step) == 2**16
    overflow_once(step)
    assert not change_of(step, group).any()
    assert scale_of(step) == 2**15
    assert caplog.messages == [
        '1 updates were skipped, as their gradients overflowed in float16; the loss is scaled by 32768 now.'
    ]
    assert change_of(step, group).any()
    assert scale_of(step) == 2**15
    assert [state['step'] for state in step.learner.optimizer.state_dict()['state'].values()][0] == 2
    step.settle()
    assert len(caplog.messages) == 1, 'what was said is not said again'


@pytest.mark.parametrize('fused', [None, True])
def test_a_loss_that_is_not_finite_is_an_error_in_float16_too(
    fused: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = tiny_step(precision='float16', fused=fused)
    bad = tiny_batch()
    bad.hr[0, 0, 0] = float('nan')
    before = weights_of(step)

    def learn() -> None:
        step.learn_from(bad)
        step.settle()

    with pytest.raises(NotFiniteError, match='loss is nan'):
        learn()
    assert all(torch.equal(weight, before[name]) for name, weight in weights_of(step).items())


@pytest.mark.parametrize('fused', [None, True])
def test_gradients_that_overflow_at_any_scale_are_an_error(
    fused: bool | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    step = tiny_step(precision='float16', fused=fused, batches=100)
    next(step.learner.network.parameters()).register_hook(lambda gradient: gradient * float('nan'))

    def go_on() -> None:
        for _ in range(40):
            step.learn_from(tiny_batch())
            step.settle()

    with pytest.raises(FloatingPointError, match='gradients are not finite in float16, however the loss is scaled'):
        go_on()
