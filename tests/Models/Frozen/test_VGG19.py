"""VGG19's features against torchvision's, with the same random weights."""

from pathlib import Path

import pytest
import torch

from Models.Frozen import VGG19 as vgg19_module
from Models.Frozen.VGG19 import LAYERS, VGG19
from tests.backbones import plant_vgg19, tiny_layout
from Utilities.optional import UnavailableError

Weights = dict[str, torch.Tensor]


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Weights:
    return plant_vgg19(tmp_path, monkeypatch)


def test_every_layer_is_torchvisions(weights: Weights, random: torch.Generator) -> None:
    """Its own construction from the same layout, stepped through; its own normalization."""
    vgg = pytest.importorskip('torchvision.models.vgg')
    from torchvision.transforms.functional import normalize

    official = vgg.make_layers(tiny_layout())
    official.load_state_dict(
        {key.removeprefix('features.'): value for key, value in weights.items() if key.startswith('features.')}
    )
    image = torch.rand(2, 3, 37, 50, generator=random)
    features = normalize(image, vgg.VGG19_Weights.IMAGENET1K_V1.transforms().mean, [0.229, 0.224, 0.225])
    expected = []
    with torch.no_grad():
        for module in official:
            # torchvision's ReLU works in place, on a copy here.
            features = module(features.clone())
            if not isinstance(module, torch.nn.MaxPool2d):
                expected.append(features)
    found = VGG19(LAYERS)(image)
    assert list(found) == list(LAYERS)
    assert len(LAYERS) == len(expected) == 32
    for name, features in zip(LAYERS, expected, strict=True):
        torch.testing.assert_close(found[name], features, msg=name)


def test_layout_and_file_are_torchvisions(monkeypatch: pytest.MonkeyPatch) -> None:
    """At full size, without memory: names and shapes of all weights; name of the file; ImageNet's statistics."""
    torchvision = pytest.importorskip('torchvision')
    official = torchvision.models.VGG19_Weights.IMAGENET1K_V1
    assert official.url == f'https://download.pytorch.org/models/{vgg19_module._FILE}'
    with torch.device('meta'):
        expected = {key: value.shape for key, value in torchvision.models.vgg19().features.state_dict().items()}
        ours = vgg19_module._build(len(LAYERS) - 1).state_dict()
    assert {key: value.shape for key, value in ours.items()} == expected
    monkeypatch.setattr(
        vgg19_module,
        'read_imagenet_weights',
        lambda *_: {f'features.{key}': torch.zeros(shape) for key, shape in first},
    )
    first = [(key, shape) for key, shape in expected.items() if key.startswith('0.')]
    network = VGG19(['conv1_1'])
    transforms = official.transforms()
    assert network.mean.flatten().tolist() == pytest.approx(transforms.mean)
    assert network.deviation.flatten().tolist() == pytest.approx(transforms.std)


def test_it_is_frozen_and_lets_gradients_through(weights: Weights, random: torch.Generator) -> None:
    network = VGG19(['conv2_1']).train()
    assert not any(module.training for module in network.modules())
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert len(network.features) == 6  # conv, ReLU, conv, ReLU, pooling, conv: nothing behind what is asked for.
    image = torch.rand(1, 3, 8, 8, generator=random).requires_grad_()
    network(image)['conv2_1'].sum().backward()
    assert image.grad is not None
    assert image.grad.abs().min() > 0


@pytest.mark.parametrize(('layer', 'side'), [('relu1_2', 1), ('conv2_1', 2), ('relu5_1', 16)])
def test_minimum_side_is_the_smallest_that_works(layer: str, side: int, weights: Weights) -> None:
    network = VGG19([layer])
    assert network.minimum_side == side
    assert min(network(torch.zeros(1, 3, side, side))[layer].shape) >= 1
    if side > 1:
        with pytest.raises(RuntimeError):
            network(torch.zeros(1, 3, side - 1, side - 1))


@pytest.mark.parametrize('layers', [['relu6_1'], ['features.0'], []])
def test_an_unknown_layer_is_refused(layers: list[str]) -> None:
    with pytest.raises(ValueError, match=r'layers must be among conv1_1, relu1_1.*got'):
        VGG19(layers)


def test_missing_weights_say_where_to_put_what(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    with pytest.raises(
        UnavailableError, match=r'Download https://download\.pytorch\.org/models/vgg19-dcbb9e9d\.pth'
    ) as error:
        VGG19(['relu1_1'])
    assert str(tmp_path / 'hub' / 'checkpoints' / 'vgg19-dcbb9e9d.pth') in str(error.value)


def test_damaged_weights_are_refused(weights: Weights, tmp_path: Path) -> None:
    (file,) = (tmp_path / 'hub' / 'checkpoints').iterdir()
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(UnavailableError, match='is not the published file'):
        VGG19(['relu1_1'])


def test_weights_of_another_network_are_refused(weights: Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vgg19_module, '_WIDTHS', (3, 3, 3, 3, 3))
    with pytest.raises(UnavailableError, match='does not hold the weights of VGG19'):
        VGG19(['relu1_1'])
