"""Losses of generator and discriminator from logits: XPixelGroup/BasicSR's GANLoss, and enhanced-srgan's step.

Names are `<inputs>.<loss>.<what>`; gradients are with respect to the logits.
"""

import re

import torch
from torch import Tensor

from Losses.adversarial import (
    AdversarialLoss,
    DetachedRelativisticAverage,
    Hinge,
    LeastSquares,
    RelativisticAverage,
    SoftplusWasserstein,
    Vanilla,
    Wasserstein,
)
from tests.readers import Meta
from tests.reference_files import Reference

OURS: dict[str, AdversarialLoss] = {
    'vanilla': Vanilla(),
    'vanilla_smooth': Vanilla(real_label=0.9, fake_label=0.1),
    'lsgan': LeastSquares(),
    'wgan': Wasserstein(),
    'wgan_softplus': SoftplusWasserstein(),
    'hinge': Hinge(),
    'ragan_vanilla.basicsr': DetachedRelativisticAverage(),
    'ragan_lsgan.basicsr': DetachedRelativisticAverage(distance='squares'),
    'ragan_vanilla.aidl': RelativisticAverage(mean_over='batch'),
}


def claims(meta: Meta) -> bool:
    return meta['class'].startswith('GANLoss')


def check(reference: Reference) -> None:
    named = [re.fullmatch(r'(\w+)\.(.+)\.(\w+)', name) for name in reference.outputs]
    cases = {(match[1], match[2]) for match in named if match}
    assert cases
    for inputs, loss in cases:
        stored = {match[3] for match in named if match and (match[1], match[2]) == (inputs, loss)}
        for dtype, part in ((torch.float64, 'all'), (torch.float32, 'float32')):
            real, fake = (reference[f'input/{inputs}.{kind}'].to(dtype).requires_grad_() for kind in ('real', 'fake'))
            found = ours(OURS[loss], real, fake)
            expected = {name: reference[f'output/{inputs}.{loss}.{name}'] for name in stored}
            if 'd_real' in expected:
                expected['d'] = expected.pop('d_real') + expected.pop('d_fake')
            tolerance = reference.meta['suggested_atol'][part]
            for name, value in expected.items():
                # Where logits are 95, so are losses.
                allowed = tolerance * max(1.0, value.abs().max().item())
                error = (found[name].double() - value).abs().max().item()
                assert error <= allowed, f'{inputs}.{loss}.{name} in {dtype}: off by {error:.2e}, allowed {allowed:.2e}'


def ours(pair: AdversarialLoss, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
    for_generator = pair.for_generator(real, fake)
    for_discriminator = pair.for_discriminator(real, fake)
    of_generator = torch.autograd.grad(for_generator, [real, fake], allow_unused=True)
    assert of_generator[0] is None, 'true pictures are constants for the generator'
    of_discriminator = torch.autograd.grad(for_discriminator, [real, fake])
    return {
        'g': for_generator.detach(),
        'd': for_discriminator.detach(),
        'g_grad_fake': of_generator[1],
        'd_grad_real': of_discriminator[0],
        'd_grad_fake': of_discriminator[1],
    }
