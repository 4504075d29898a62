"""VGG's features against torchvision's, with the same random weights."""

from pathlib import Path

import pytest
import torch

from Models.Frozen import VGG as vgg_module
from Models.Frozen.VGG import PUBLISHED, VGG, layers_of
from tests.backbones import plant_vgg, tiny_layout
from Utilities.optional import UnavailableError

Weights = dict[str, torch.Tensor]


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Weights:
    return plant_vgg(tmp_path, monkeypatch)


@pytest.mark.parametrize('vgg_type', PUBLISHED)
def test_every_layer_is_torchvisions(
    vgg_type: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, random: torch.Generator
) -> None:
    """Its own construction from the same layout, stepped through; its own normalization."""
    weights = plant_vgg(tmp_path, monkeypatch, vgg_type)
    vgg = pytest.importorskip('torchvision.models.vgg')
    from torchvision.transforms.functional import normalize

    official = vgg.make_layers(tiny_layout(vgg_type))
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
    names = layers_of(vgg_type)
    found = VGG(names, vgg_type)(image)
    assert list(found) == list(names)
    assert len(names) == len(expected) == 2 * (int(vgg_type[3:]) - 3)  # It is named for its layers with weights.
    for name, features in zip(names, expected, strict=True):
        torch.testing.assert_close(found[name], features, msg=name)


@pytest.mark.parametrize('vgg_type', PUBLISHED)
def test_layout_and_file_are_torchvisions(vgg_type: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """At full size, without memory: names and shapes of all weights; name of the file; ImageNet's statistics."""
    torchvision = pytest.importorskip('torchvision')
    official = torchvision.models.get_model_weights(vgg_type).IMAGENET1K_V1
    assert official.url == f'https://download.pytorch.org/models/{PUBLISHED[vgg_type].file}'
    assert PUBLISHED[vgg_type].megabytes == round(official.meta['_file_size'])
    with torch.device('meta'):
        model = torchvision.models.get_model(vgg_type, weights=None)
        expected = {key: value.shape for key, value in model.features.state_dict().items()}
        ours = vgg_module._build(vgg_type, layers_of(vgg_type)[-1]).state_dict()
    assert {key: value.shape for key, value in ours.items()} == expected
    first = [(key, shape) for key, shape in expected.items() if key.startswith('0.')]
    monkeypatch.setattr(
        vgg_module,
        'read_imagenet_weights',
        lambda *_: {f'features.{key}': torch.zeros(shape) for key, shape in first},
    )
    network = VGG(['conv1_1'], vgg_type)
    transforms = official.transforms()
    assert network.mean.flatten().tolist() == pytest.approx(transforms.mean)
    assert network.deviation.flatten().tolist() == pytest.approx(transforms.std)


def test_torchvisions_numbers_count_poolings() -> None:
    numbers = {name: number for number, name in enumerate(vgg_module._modules_of('vgg19'))}
    found = [numbers[name] for name in ('conv1_2', 'conv2_2', 'conv3_4', 'conv4_4', 'conv5_4', 'relu5_4')]
    assert found == [2, 7, 16, 25, 34, 35]


def test_it_is_frozen_and_lets_gradients_through(weights: Weights, random: torch.Generator) -> None:
    network = VGG(['conv2_1']).train()
    assert not any(module.training for module in network.modules())
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert len(network.features) == 6  # conv, ReLU, conv, ReLU, pooling, conv: nothing behind what is asked for.
    image = torch.rand(1, 3, 8, 8, generator=random).requires_grad_()
    network(image)['conv2_1'].sum().backward()
    assert image.grad is not None
    assert image.grad.abs().min() > 0


@pytest.mark.parametrize(('layer', 'side'), [('relu1_2', 1), ('conv2_1', 2), ('relu5_1', 16)])
def test_minimum_side_is_the_smallest_that_works(layer: str, side: int, weights: Weights) -> None:
    network = VGG([layer])
    assert network.minimum_side == side
    assert min(network(torch.zeros(1, 3, side, side))[layer].shape) >= 1
    if side > 1:
        with pytest.raises(RuntimeError):
            network(torch.zeros(1, 3, side - 1, side - 1))


@pytest.mark.parametrize('layers', [['relu6_1'], ['features.0'], []])
def test_an_unknown_layer_is_refused(layers: list[str]) -> None:
    with pytest.raises(ValueError, match=r'layers must be among conv1_1, relu1_1.*got'):
        VGG(layers)


def test_a_layer_of_a_deeper_network_is_refused() -> None:
    with pytest.raises(ValueError, match=r'layers must be among conv1_1.*, got conv5_4'):
        VGG(['conv5_4'], 'vgg16')
    with pytest.raises(ValueError, match="vgg_type must be one of vgg11, vgg13, vgg16, vgg19, got 'vgg19_bn'"):
        VGG(['conv5_4'], 'vgg19_bn')


def test_missing_weights_say_where_to_put_what(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    with pytest.raises(
        UnavailableError, match=r'Download https://download\.pytorch\.org/models/vgg19-dcbb9e9d\.pth'
    ) as error:
        VGG(['relu1_1'])
    assert str(tmp_path / 'hub' / 'checkpoints' / 'vgg19-dcbb9e9d.pth') in str(error.value)


def test_damaged_weights_are_refused(weights: Weights, tmp_path: Path) -> None:
    (file,) = (tmp_path / 'hub' / 'checkpoints').iterdir()
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(UnavailableError, match='is not the published file'):
        VGG(['relu1_1'])


def test_weights_of_another_network_are_refused(weights: Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vgg_module, '_WIDTHS', (3, 3, 3, 3, 3))
    with pytest.raises(UnavailableError, match='does not hold the weights of VGG19'):
        VGG(['relu1_1'])
