import torch

from Models import DecoderType, EncoderType
from Orchestrators.Steps.WeightAverage import WeightAverage
from tests.tiny_networks import tiny
from tests.tiny_steps import tiny_batch, tiny_step
from Utilities.Checkpoint import content_hash


def test_the_average_follows_the_formula_buffers_included() -> None:
    """average <- decay * average + (1 - decay) * value, in double precision by hand; what counts is copied."""
    network = tiny(EncoderType.EDSR, DecoderType.LIIF)
    network.register_buffer('running', torch.zeros(3))
    network.register_buffer('count', torch.zeros((), dtype=torch.long))
    average = WeightAverage(network, 0.9)
    random = torch.Generator().manual_seed(0)
    expected = {name: value.double() for name, value in network.state_dict().items()}
    for step in range(1, 5):
        for value in network.state_dict().values():
            value.copy_(torch.randn(value.shape, generator=random) if value.is_floating_point() else torch.tensor(step))
        average.update()
        for name, value in network.state_dict().items():
            expected[name] = 0.9 * expected[name] + 0.1 * value.double()
    found = average.network.state_dict()
    assert found.pop('count') == 4
    for name, value in found.items():
        torch.testing.assert_close(value.double(), expected[name], atol=1e-6, rtol=0)
    assert expected['running'].abs().max() > 0.1


def test_the_average_is_what_is_evaluated_and_saved_and_the_raw_weights_go_on() -> None:
    step, plain = tiny_step(ema_decay=0.5), tiny_step()
    expected = {name: weight.double() for name, weight in plain.learner.network.state_dict().items()}
    for seed in range(3):
        step.learn_from(tiny_batch(seed=seed))
        plain.learn_from(tiny_batch(seed=seed))
        for name, weight in plain.learner.network.state_dict().items():
            expected[name] = 0.5 * expected[name] + 0.5 * weight.double()
    state = step.state()
    assert content_hash(state['learners']['super_resolver']['network']) == content_hash(
        plain.learner.network.state_dict()
    )
    assert content_hash(state['network']) == content_hash(step.used.state_dict())
    for name, weight in state['network'].items():
        torch.testing.assert_close(weight.double(), expected[name], atol=1e-6, rtol=0)
    assert not any(weight.requires_grad for weight in step.used.parameters())


def test_it_is_updated_once_per_update_not_per_batch() -> None:
    step = tiny_step(ema_decay=0.5, accumulate=2)
    before = content_hash(step.used.state_dict())
    step.learn_from(tiny_batch())
    assert content_hash(step.used.state_dict()) == before
    step.learn_from(tiny_batch())
    assert content_hash(step.used.state_dict()) != before


def test_it_begins_with_the_weights_that_a_run_begins_with() -> None:
    """Which may come from a checkpoint, after the step was built."""
    step = tiny_step(ema_decay=0.9)
    for weight in step.learner.network.parameters():
        torch.nn.init.constant_(weight, 0.25)
    step.start(4)
    assert content_hash(step.used.state_dict()) == content_hash(step.learner.network.state_dict())
