import math

import pytest
import torch
from torch import Tensor

from Losses import adversarial
from Losses.adversarial import AdversarialLoss, Hinge, RelativisticAverage, Vanilla
from Models import AdversarialLossType


def both(seed: int = 0, *shape: int) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    real, fake = (torch.randn(shape or (4, 1), generator=random) for _ in range(2))
    return real, fake


def test_every_name_has_its_class() -> None:
    for member in AdversarialLossType:
        assert member.name == member.value
        assert issubclass(getattr(adversarial, member.name), AdversarialLoss)


def test_hinge_by_hand() -> None:
    """Margins of 1: 0.5 and 0 short of it for true ones, 1.2 and 0 for made ones."""
    real, fake = torch.tensor([[0.5], [3.0]]), torch.tensor([[0.2], [-2.0]])
    assert Hinge().for_discriminator(real, fake).item() == pytest.approx((0.5 + 0) / 2 + (1.2 + 0) / 2)
    assert Hinge().for_generator(None, fake).item() == pytest.approx(0.9)


def test_undecided_logits_cost_what_cross_entropy_says() -> None:
    zero = torch.zeros(3, 1)
    assert Vanilla().for_discriminator(zero, zero).item() == pytest.approx(2 * math.log(2))
    assert Vanilla().for_generator(None, zero).item() == pytest.approx(math.log(2))
    # Halved where it is relative.
    assert RelativisticAverage().for_discriminator(zero, zero).item() == pytest.approx(math.log(2))
    assert RelativisticAverage().for_generator(zero, zero).item() == pytest.approx(math.log(2))


def test_half_precision_is_left_at_once() -> None:
    """A sum of logits of 60 000 is more than half precision holds."""
    real, fake = (each.half() for each in (torch.full((8, 1), 6e4), torch.full((8, 1), -6e4)))
    for member in AdversarialLossType:
        pair: AdversarialLoss = getattr(adversarial, member.name)()
        for value in (pair.for_discriminator(real, fake), pair.for_generator(real, fake)):
            assert value.dtype == torch.float32
            assert value.isfinite()


def test_label_noise_is_the_discriminators_alone_and_one_per_picture() -> None:
    """With squares, 0 logits show the labels: real in [0.8, 1], fake in [0, 0.2]."""
    noisy = adversarial.LeastSquares(label_noise=0.2)
    real, fake = torch.zeros(5, 1, 3, 3, requires_grad=True), torch.zeros(5, 1, 3, 3, requires_grad=True)
    torch.manual_seed(0)
    for_real, for_fake = torch.autograd.grad(noisy.for_discriminator(real, fake), [real, fake])
    labels = [-gradient * gradient.numel() / 2 for gradient in (for_real, for_fake)]
    assert 0.8 <= labels[0].min() < labels[0].max() <= 1
    assert 0 <= labels[1].min() < labels[1].max() <= 0.2 + 1e-6
    for label in labels:
        assert torch.equal(label, label[:, :, :1, :1].expand_as(label))
        assert len(label.unique()) == 5
    assert noisy.for_generator(None, fake).item() == 1
    with pytest.raises(ValueError, match='label_noise must be from 0 to 1, got 2'):
        Vanilla(label_noise=2)


def test_a_map_has_two_means() -> None:
    real, fake = both(1, 3, 1, 4, 5)
    over_all, per_pixel = (RelativisticAverage(mean_over=kind).for_generator(real, fake) for kind in ('all', 'batch'))
    assert over_all.item() != pytest.approx(per_pixel.item(), rel=1e-3)
    real, fake = both(1)
    over_all, per_pixel = (RelativisticAverage(mean_over=kind).for_generator(real, fake) for kind in ('all', 'batch'))
    assert over_all.item() == pytest.approx(per_pixel.item(), rel=1e-6)


def test_the_mean_is_what_it_is_told() -> None:
    """Such as that over other processes."""
    real, fake = both()
    shifted = RelativisticAverage().for_generator(real, fake, lambda mean: mean + 1)
    by_hand = (1 + (real - fake.mean() - 1).exp()).log().mean() + (1 + (real.mean() + 1 - fake).exp()).log().mean()
    assert shifted.item() == pytest.approx(by_hand.item() / 2, rel=1e-6)
    with pytest.raises(ValueError, match="distance must be one of cross_entropy, squares, got 'l1'"):
        RelativisticAverage(distance='l1')
    with pytest.raises(ValueError, match="mean_over must be 'all' or 'batch', got 'pixels'"):
        RelativisticAverage(mean_over='pixels')
