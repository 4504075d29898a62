from enum import Enum


class AdversarialLossType(Enum):
    """The losses of a generator and its discriminator. A member names its class in `Losses/adversarial.py`."""

    Vanilla = 'Vanilla'
    """Cross entropy, non-saturating for the generator (Goodfellow et al. 2014)."""

    LeastSquares = 'LeastSquares'
    """Squared distance of logits from labels (Mao et al. 2017)."""

    Wasserstein = 'Wasserstein'
    """Difference of mean logits (Arjovsky et al. 2017); the discriminator has to be a constrained one."""

    SoftplusWasserstein = 'SoftplusWasserstein'
    """Softplus of logits, as StyleGAN has it; in value, Vanilla without labels."""

    Hinge = 'Hinge'
    """Margins of 1 for the discriminator, mean logits for the generator (Lim and Ye 2017)."""

    RelativisticAverage = 'RelativisticAverage'
    """Whether a picture is more real than the others on average (Jolicoeur-Martineau 2018), as ESRGAN has it."""

    DetachedRelativisticAverage = 'DetachedRelativisticAverage'
    """As RelativisticAverage, without gradients through the averages in the discriminator's part, as BasicSR has it."""
