"""What half precision may change, and what not."""

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from Models import DecoderType, EncoderType
from tests.tiny_steps import tiny_batch, tiny_step, weights_of

HALF = {'bfloat16': torch.bfloat16, 'float16': torch.float16}
# Positions in the call of what says where to look.
LOOKS = {
    'aten::embedding': 1,
    'aten::_embedding_bag': 1,
    'aten::gather': 2,
    'aten::index.Tensor': 1,
    'aten::grid_sampler_2d': 1,
}


class Looks(TorchDispatchMode):
    """Keeps every index and every coordinate by which pixels are fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[torch.Tensor] = []

    def __torch_dispatch__(self, function: Any, types: Any, arguments: Any = (), named: Any = None) -> Any:
        position = LOOKS.get(function.name())
        if position is not None:
            places = arguments[position]
            self.seen += [place for place in (places if isinstance(places, list | tuple) else [places]) if place.ndim]
        return function(*arguments, **(named or {}))


@pytest.mark.parametrize('precision', HALF)
@pytest.mark.parametrize('decoder', DecoderType)
def test_the_same_pixels_are_looked_up_in_any_precision(
    decoder: DecoderType, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the last bit; in half precision 40 pixels would not have 40 places of their own. CLIT has a second stage."""
    for pieced in ('LIIF', 'LTE'):
        # Else float32 would look them up in another order.
        monkeypatch.setattr(f'Models.Decoders.{pieced}.can_blend', lambda *_: False)
    scale = 2 if decoder is DecoderType.Native else 3
    batch = tiny_batch(patch=40, scale=scale)
    chosen = torch.arange(0, batch.coord.shape[1], 7)
    batch = batch._replace(coord=batch.coord[:, chosen], hr=batch.hr[:, chosen])
    seen = []
    for setting in ('float32', precision):
        step = tiny_step(decoder=decoder, precision=setting)
        with Looks() as looks:
            step.compare(batch)
        seen.append(looks.seen)
    assert len(seen[0]) > 0
    for exact, found in zip(*seen, strict=True):
        assert found.dtype in {torch.int64, torch.float32}
        assert torch.equal(exact, found)


@pytest.mark.parametrize('precision', HALF)
@pytest.mark.parametrize('decoder', DecoderType)
@pytest.mark.parametrize('encoder', EncoderType)
def test_every_pair_learns_in_half_precision(encoder: EncoderType, decoder: DecoderType, precision: str) -> None:
    """Features are half; loss, weights and gradients are float32; the loss is that of float32 but for rounding."""
    step, exact = (tiny_step(encoder=encoder, decoder=decoder, precision=setting) for setting in (precision, 'float32'))
    features: list[torch.dtype] = []
    last = [module for module in step.learner.network.encoder.modules() if isinstance(module, torch.nn.Conv2d)][-1]
    last.register_forward_hook(lambda _module, _inputs, output: features.append(output.dtype))
    before = weights_of(step)
    torch.manual_seed(0)  # for SwinIR's dropped paths
    loss = step.learn_from(tiny_batch())['loss']
    torch.manual_seed(0)
    expected = exact.learn_from(tiny_batch())['loss']
    step.settle()
    assert features == [HALF[precision]]
    assert loss.dtype == torch.float32
    assert loss != expected
    torch.testing.assert_close(loss, expected, atol=0, rtol=0.01)
    for name, weight in step.learner.network.named_parameters():
        assert weight.dtype == torch.float32
        assert weight.grad is None or weight.grad.dtype == torch.float32
        assert weight.grad is None or not weight.grad.any() or not torch.equal(weight, before[name])


def test_a_likelihood_is_computed_in_full_precision(random: torch.Generator) -> None:
    """Its layers, each of which would round; only what conditions them is half."""
    from Models.Layers.NormalizingFlow import NormalizingFlow

    torch.manual_seed(0)
    flow = NormalizingFlow(3, 4)
    data, condition = torch.randn(2, 5, 3, generator=random), torch.randn(2, 5, 24, generator=random).bfloat16()
    expected = flow.log_likelihood(data, condition.float())
    with torch.autocast('cpu', torch.bfloat16):
        assert torch.equal(flow.log_likelihood(data, condition), expected)


def test_what_is_evaluated_stays_float32(random: torch.Generator) -> None:
    step, exact = tiny_step(precision='bfloat16'), tiny_step()
    lr = torch.rand(1, 3, 6, 6, generator=random)
    assert torch.equal(step.used.eval().upscale(lr, (13, 15)), exact.used.eval().upscale(lr, (13, 15)))
