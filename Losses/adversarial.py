"""Losses of a generator and its discriminator, each a pair of both.

The discriminator's logits are taken as they are, never through a sigmoid alone, so that large ones stay finite. With
sp(x) = log(1 + exp x), cross entropy with a label t is sp(x) - t x. Means are over all entries, of pictures and pixels.
Vanilla: Goodfellow et al., NeurIPS 2014, https://arxiv.org/abs/1406.2661. LeastSquares: Mao et al., ICCV 2017,
https://arxiv.org/abs/1611.04076. Wasserstein: Arjovsky, Chintala, Bottou, ICML 2017, https://arxiv.org/abs/1701.07875.
Hinge: Lim, Ye 2017, https://arxiv.org/abs/1705.02894. RelativisticAverage: Jolicoeur-Martineau, ICLR 2019,
https://arxiv.org/abs/1807.00734, in ESRGAN https://arxiv.org/abs/1809.00219.
Checked against XPixelGroup/BasicSR@8d56e3a and AIDL-PROJ-2022/enhanced-srgan@2ae5559 (tests/references/gan_losses.npz).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

Logits = Float[Tensor, 'batch 1 *pixels']
Mean = Callable[[Tensor], Tensor]
"""From a mean over this process's samples to that over all processes', with gradient."""


def _same(mean: Tensor) -> Tensor:
    return mean


class AdversarialLoss(ABC):
    """The pair of losses, from the logits of true and of made pictures. Half precision is left before anything else."""

    needs_constraint: ClassVar[bool] = False
    """Whether it grows without limit unless the discriminator is a constrained one."""

    compares: ClassVar[bool] = False
    """Whether the generator's part looks at true pictures too."""

    looks_first: ClassVar[bool] = False
    """Whether the discriminator judges the made pictures once more before its own part, without gradient."""

    @abstractmethod
    def for_generator(self, real: Logits | None, fake: Logits, mean: Mean = _same) -> Float[Tensor, '']:
        """What the generator minimizes, before its weight.

        Args:
            real: logits of true pictures, taken as constants; None unless it `compares`.
            fake: logits of its own.
            mean: over all processes.
        """

    @abstractmethod
    def for_discriminator(
        self, real: Logits, fake: Logits, mean: Mean = _same, earlier: Logits | None = None
    ) -> Float[Tensor, '']:
        """What the discriminator minimizes.

        Args:
            real: logits of true pictures.
            fake: logits of made ones, which do not depend on the generator.
            mean: over all processes.
            earlier: logits of the made ones from the look before, if it `looks_first`; None: `fake`.
        """


class Labeled(AdversarialLoss):
    """A distance of logits from labels, 1 for true pictures and 0 for made ones.

    Args:
        real_label, fake_label: what the labels are instead, such as 0.9 and 0.1. The generator wants its pictures to
            have `real_label`.
        label_noise: for the discriminator, each picture's label is moved towards the other one by a random part of
            this, at most.

    Raises:
        ValueError: for a noise outside of [0, 1].
    """

    def __init__(self, real_label: float = 1.0, fake_label: float = 0.0, label_noise: float = 0.0) -> None:
        if not 0 <= label_noise <= 1:
            raise ValueError(f'label_noise must be from 0 to 1, got {label_noise}.')
        self._real = real_label
        self._fake = fake_label
        self._noise = label_noise

    @abstractmethod
    def distance(self, logits: Logits, label: Tensor | float) -> Logits:
        """Of each entry."""

    def for_generator(self, real: Logits | None, fake: Logits, mean: Mean = _same) -> Float[Tensor, '']:
        return self.distance(_exact(fake), self._real).mean()

    def for_discriminator(
        self, real: Logits, fake: Logits, mean: Mean = _same, earlier: Logits | None = None
    ) -> Float[Tensor, '']:
        real, fake = _exact(real), _exact(fake)
        return (
            self.distance(real, self._real - self._noise_like(real)).mean()
            + self.distance(fake, self._fake + self._noise_like(fake)).mean()
        )

    def _noise_like(self, logits: Logits) -> Tensor | float:
        if not self._noise:
            return 0.0
        # One number per picture.
        shape = (len(logits), *[1] * (logits.ndim - 1))
        return self._noise * torch.rand(shape, device=logits.device, dtype=logits.dtype)


class Vanilla(Labeled):
    """Cross entropy; the generator's is the non-saturating one."""

    def distance(self, logits: Logits, label: Tensor | float) -> Logits:
        return functional.softplus(logits) - label * logits


class LeastSquares(Labeled):
    """Squared distance."""

    def distance(self, logits: Logits, label: Tensor | float) -> Logits:
        return (logits - label).square()


class Wasserstein(AdversarialLoss):
    """Difference of the mean logits."""

    needs_constraint = True

    def for_generator(self, real: Logits | None, fake: Logits, mean: Mean = _same) -> Float[Tensor, '']:
        return -_exact(fake).mean()

    def for_discriminator(
        self, real: Logits, fake: Logits, mean: Mean = _same, earlier: Logits | None = None
    ) -> Float[Tensor, '']:
        return _exact(fake).mean() - _exact(real).mean()


class SoftplusWasserstein(AdversarialLoss):
    """Softplus of the logits, in value equal to Vanilla."""

    def for_generator(self, real: Logits | None, fake: Logits, mean: Mean = _same) -> Float[Tensor, '']:
        return functional.softplus(-_exact(fake)).mean()

    def for_discriminator(
        self, real: Logits, fake: Logits, mean: Mean = _same, earlier: Logits | None = None
    ) -> Float[Tensor, '']:
        return functional.softplus(-_exact(real)).mean() + functional.softplus(_exact(fake)).mean()


class Hinge(AdversarialLoss):
    """Logits beyond 1 and -1 are good enough for the discriminator."""

    def for_generator(self, real: Logits | None, fake: Logits, mean: Mean = _same) -> Float[Tensor, '']:
        return -_exact(fake).mean()

    def for_discriminator(
        self, real: Logits, fake: Logits, mean: Mean = _same, earlier: Logits | None = None
    ) -> Float[Tensor, '']:
        return functional.relu(1 - _exact(real)).mean() + functional.relu(1 + _exact(fake)).mean()


class RelativisticAverage(AdversarialLoss):
    """Half of both distances from labels, of logits relative to the other kind's mean logit.

    In the discriminator's part gradients go through the means, as in the paper.

    Args:
        distance: `cross_entropy`, or `squares`.
        mean_over: what the mean logit is taken over: `all` pictures and pixels, or the `batch` for each pixel. They
            differ for discriminators with one logit per pixel.

    Raises:
        ValueError: for anything else.
    """

    compares = True
    _detaches: ClassVar[bool] = False

    def __init__(self, distance: str = 'cross_entropy', mean_over: str = 'all') -> None:
        distances: dict[str, type[Labeled]] = {'cross_entropy': Vanilla, 'squares': LeastSquares}
        if distance not in distances:
            raise ValueError(f'distance must be one of {", ".join(distances)}, got {distance!r}.')
        if mean_over not in ('all', 'batch'):
            raise ValueError(f"mean_over must be 'all' or 'batch', got {mean_over!r}.")
        self._distance = distances[distance]().distance
        self._mean_over = mean_over

    def for_generator(self, real: Logits | None, fake: Logits, mean: Mean = _same) -> Float[Tensor, '']:
        assert real is not None
        real, fake = _exact(real).detach(), _exact(fake)
        return self._of(real, fake, self._average(real, mean), self._average(fake, mean), real_label=0)

    def for_discriminator(
        self, real: Logits, fake: Logits, mean: Mean = _same, earlier: Logits | None = None
    ) -> Float[Tensor, '']:
        real, fake = _exact(real), _exact(fake)
        of_real = self._average(real, mean)
        of_fake = self._average(fake if earlier is None else _exact(earlier), mean)
        if self._detaches:
            of_real, of_fake = of_real.detach(), of_fake.detach()
        return self._of(real, fake, of_real, of_fake, real_label=1)

    def _average(self, logits: Logits, mean: Mean) -> Tensor:
        return mean(logits.mean() if self._mean_over == 'all' else logits.mean(dim=0, keepdim=True))

    def _of(
        self, real: Logits, fake: Logits, of_real: Tensor, of_fake: Tensor, *, real_label: int
    ) -> Float[Tensor, '']:
        for_real = self._distance(real - of_fake, real_label).mean()
        return (for_real + self._distance(fake - of_real, 1 - real_label).mean()) / 2


class DetachedRelativisticAverage(RelativisticAverage):
    """The same value without gradients through the means in the discriminator's part, as XPixelGroup/BasicSR has it.

    There, the mean of made pictures is from a look at them before; it counts, as batch norm and spectral norm change
    with each.
    """

    looks_first = True
    _detaches = True


def _exact(logits: Logits) -> Logits:
    return logits if logits.dtype == torch.float64 else logits.float()
