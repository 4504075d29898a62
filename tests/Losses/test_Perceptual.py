from pathlib import Path

import pytest
import torch

from Configuration import LossTerm
from Losses.Perceptual import Perceptual
from Models import LossType, SamplingType
from Models.Frozen.VGG import VGG
from Orchestrators.Pipelines.SuperResolution import build_step
from tests.backbones import plant_vgg
from tests.tiny import TrainTiny


@pytest.fixture
def _weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant_vgg(tmp_path / 'torch', monkeypatch)


@pytest.mark.usefixtures('_weights')
@pytest.mark.parametrize('criterion', ['l1', 'l2', 'fro'])
def test_it_is_the_formula(criterion: str, random: torch.Generator) -> None:
    weights = {'conv1_2': 0.1, 'relu2_1': 2.0}
    sr, hr = (torch.rand(2, 3, 9, 14, generator=random) for _ in range(2))
    network = VGG(list(weights))
    expected = 0.0
    for layer, weight in weights.items():
        difference = network(sr)[layer] - network(hr)[layer]
        distance = {
            'l1': difference.abs().sum() / difference.numel(),
            'l2': (difference**2).sum() / difference.numel(),
            'fro': (difference**2).sum().sqrt(),
        }[criterion]
        expected += weight * distance.item()
    found = Perceptual(weights, criterion=criterion)(sr, hr).item()
    assert found == pytest.approx(expected, rel=1e-5)
    shared = Perceptual(weights, criterion=criterion, normalize_loss=True)(sr, hr).item()
    assert shared == pytest.approx(expected / 2.1, rel=1e-5)


@pytest.mark.usefixtures('_weights')
@pytest.mark.parametrize('criterion', ['l1', 'l2', 'fro'])
def test_equal_pictures_give_zero_and_a_finite_gradient(criterion: str, random: torch.Generator) -> None:
    hr = torch.rand(1, 3, 16, 16, generator=random)
    sr = hr.clone().requires_grad_()
    value = Perceptual({'conv3_1': 1}, criterion=criterion)(sr, hr)
    value.backward()
    assert value.item() == 0
    assert sr.grad is not None
    assert not sr.grad.any()


@pytest.mark.usefixtures('_weights')
def test_the_true_picture_gets_no_gradient(random: torch.Generator) -> None:
    sr, hr = (torch.rand(1, 3, 16, 16, generator=random).requires_grad_() for _ in range(2))
    Perceptual()(sr, hr).backward()
    assert sr.grad is not None
    assert hr.grad is None


@pytest.mark.usefixtures('_weights')
@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'criterion': 'L1'}, "criterion of Perceptual must be one of l1, l2, fro, got 'L1'"),
        ({'layer_weights': {'conv5_4': -1}}, 'must be finite weights from 0 on by layer'),
        ({'layer_weights': {'conv5_4': 0}}, 'must have one above 0'),
        ({'layer_weights': {'conv6_1': 1}}, 'layers must be among conv1_1.*got conv6_1'),
        ({'vgg_type': 'vgg19_bn'}, "vgg_type must be one of vgg11, vgg13, vgg16, vgg19, got 'vgg19_bn'"),
        ({'style_weight': 1}, "losses: Perceptual has no option 'style_weight'"),
    ],
)
def test_wrong_options_are_refused(options: dict, message: str) -> None:
    terms = (LossTerm(LossType.Perceptual, options=options),)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=message):
        build_step(TrainTiny(losses=terms, sampling=SamplingType.Window), torch.device('cpu'))


@pytest.mark.usefixtures('_weights')
def test_weights_by_layer_are_read_from_a_recipe() -> None:
    terms = (LossTerm(LossType.Perceptual, 0.5, options={'layer_weights': {'conv1_2': 0.1, 'conv2_2': 1}}),)  # type: ignore[arg-type]
    recipe = TrainTiny(losses=terms, sampling=SamplingType.Window)
    step = build_step(recipe, torch.device('cpu'))
    assert step.objective.losses['Perceptual'].layer_weights == {'conv1_2': 0.1, 'conv2_2': 1}  # type: ignore[union-attr]
    assert recipe.to_dict()['losses'][0]['options'] == {'layer_weights': {'conv1_2': 0.1, 'conv2_2': 1}}
    assert hash(recipe) == hash(TrainTiny(losses=terms, sampling=SamplingType.Window))


@pytest.mark.usefixtures('_weights')
def test_too_small_images_are_refused() -> None:
    with pytest.raises(ValueError, match='Perceptual needs at least 16x16 pixels side by side.*got 15x20: raise'):
        Perceptual()(torch.zeros(1, 3, 15, 20), torch.zeros(1, 3, 15, 20))


def test_missing_weights_are_an_error_that_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    terms = (LossTerm(LossType.PixelL1), LossTerm(LossType.Perceptual))
    with pytest.raises(ValueError, match=r'Perceptual: VGG19 can not be used: .*Download https.*never left out'):
        build_step(TrainTiny(losses=terms, sampling=SamplingType.Window), torch.device('cpu'))
