"""Perceptual losses of XPixelGroup/BasicSR and enhanced-srgan, on a VGG of regenerated random weights."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from Losses.Perceptual import Perceptual
from Models.Frozen import VGG as vgg_module
from Models.Frozen.VGG import VGG
from tests.readers import Meta
from tests.reference_files import Reference, regenerated_state

NAMES = {'layer_weights': 'layer_weights', 'vgg_type': 'vgg_type', 'criterion': 'criterion'}
NAMES |= {'use_input_norm': 'normalize_input', 'normalize_input': 'normalize_input', 'normalize_loss': 'normalize_loss'}
"""Ours for the arguments of both."""


def claims(meta: Meta) -> bool:
    return meta['class'].startswith('PerceptualLoss')


def check(reference: Reference) -> None:
    configurations = {name: entry['args'] for name, entry in reference.meta['constructor']['args'].items()}
    layers = [name.removeprefix('feature.') for name in reference.outputs if name.startswith('feature.')]
    assert configurations
    hr = reference['input/hr'].double()
    with random_vgg(reference.meta['weights']):
        features = exact(VGG(layers))(hr) if layers else {}
        for name in layers:
            expected = reference[f'output/feature.{name}']
            assert_close(features[name][:, : expected.shape[1]], expected, 1e-7, name)
        for number, args in configurations.items():
            check_configuration(reference, number, args)


def check_configuration(reference: Reference, number: str, args: Mapping[str, Any]) -> None:
    weight = args.get('perceptual_weight', 1.0)
    loss = Perceptual(**{NAMES[name]: value for name, value in args.items() if name != 'perceptual_weight'})
    for dtype in (torch.float32, torch.float64):
        is_exact = dtype is torch.float64
        sr, hr = (reference[f'input/{kind}'].to(dtype) for kind in ('sr', 'hr'))
        if is_exact:
            exact(loss.network)
        value = weight * loss(sr.requires_grad_(), hr)
        (gradient,) = torch.autograd.grad(value, sr)
        found = {'loss': value, 'grad_sr_norm': gradient.norm(), 'grad_sr': gradient}
        for name, ours in found.items():
            key = f'{number}.{name}'
            if key not in reference.outputs:
                continue
            expected = reference[f'output/{key}']
            stored_exactly = expected.dtype == torch.float64
            assert_close(ours, expected, (1e-9 if stored_exactly else 1e-7) if is_exact else 2e-5, f'{key} in {dtype}')


def exact(network: VGG) -> VGG:
    """In float64, with ImageNet's statistics as they are written, not as float32 rounds them."""
    is_normalized = bool(network.mean.any())
    network.double()
    if is_normalized:
        network.mean.copy_(torch.tensor([0.485, 0.456, 0.406], dtype=torch.float64)[:, None, None])
        network.deviation.copy_(torch.tensor([0.229, 0.224, 0.225], dtype=torch.float64)[:, None, None])
    return network


def assert_close(found: Tensor, expected: Tensor, tolerance: float, name: str) -> None:
    """Relative to the largest entry."""
    assert found.shape == expected.shape, name
    error = ((found.detach().double() - expected).abs().max() / expected.abs().max()).item()
    assert error <= tolerance, f'{name}: off by {error:.2e} of the largest, allowed {tolerance:.2e}'


@contextmanager
def random_vgg(weights: Mapping[str, Any]) -> Iterator[None]:
    """In the place of ImageNet's, weights by a fixture's text."""

    def regenerate(file: str, *_: object) -> Mapping[str, Tensor]:
        kind = file.partition('-')[0]
        with torch.device('meta'):
            whole = vgg_module._build(kind, vgg_module.layers_of(kind)[-1]).state_dict()
        return _Regenerated(weights, {f'features.{key}': tuple(value.shape) for key, value in whole.items()})

    with mock.patch.object(vgg_module, 'read_imagenet_weights', regenerate):
        yield


class _Regenerated(dict[str, Tensor]):
    """One weight at a time, as most losses need few of them."""

    def __init__(self, weights: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]) -> None:
        super().__init__()
        self._weights, self._shapes = weights, shapes

    def __missing__(self, key: str) -> Tensor:
        return regenerated_state(self._weights, [(key, self._shapes[key])])[key]
