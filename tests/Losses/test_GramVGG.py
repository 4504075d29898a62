from pathlib import Path

import pytest
import torch

from Configuration import LossTerm
from Losses.GramVGG import GramVGG
from Models import LossType, SamplingType
from Models.Frozen.VGG import VGG
from Orchestrators.Pipelines.SuperResolution import build_step
from Orchestrators.TrainingOrchestrator import TrainingOrchestrator
from tests.backbones import plant_vgg
from tests.conftest import PictureMaker
from tests.Orchestrators.test_TrainingOrchestrator import fingerprint, state_of
from tests.tiny import TrainTiny

LOSSES = (LossTerm(LossType.PixelL1), LossTerm(LossType.GramVGG, 0.5))


@pytest.fixture
def _weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant_vgg(tmp_path / 'torch', monkeypatch)


@pytest.mark.usefixtures('_weights')
def test_it_is_the_formula(random: torch.Generator) -> None:
    """Johnson et al.: G_ab = sum over pixels of f_a f_b / (C H W); squared Frobenius norm of the difference."""
    layers = ('relu1_1', 'conv2_2', 'relu3_1')
    sr, hr = (torch.rand(2, 3, 9, 14, generator=random, dtype=torch.float64) for _ in range(2))
    network = VGG(layers).double()
    expected = 0.0
    for layer in layers:
        for number in range(2):
            a, b = network(sr)[layer][number], network(hr)[layer][number]
            channels, height, width = a.shape
            for i in range(channels):
                for j in range(channels):
                    difference = (a[i] * a[j]).sum() - (b[i] * b[j]).sum()
                    expected += (difference / (channels * height * width)).item() ** 2 / 2  # Mean of two pictures.
    assert GramVGG(layers).double()(sr, hr).item() == pytest.approx(expected, rel=1e-12)
    assert GramVGG(layers)(sr.float(), hr.float()).item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.usefixtures('_weights')
def test_shuffled_pixels_change_it(random: torch.Generator) -> None:
    """Unlike GramRGB: features are of neighborhoods. Both images are shuffled alike."""
    sr, hr = (torch.rand(2, 3, 16, 16, generator=random) for _ in range(2))
    hr = 0.1 * hr + torch.linspace(0, 0.9, 16)
    order = torch.randperm(256, generator=random)
    mixed_sr, mixed_hr = (image.flatten(2)[:, :, order].unflatten(2, (16, 16)) for image in (sr, hr))
    loss = GramVGG()
    assert loss.needs_neighbors
    assert loss(mixed_sr, mixed_hr).item() != pytest.approx(loss(sr, hr).item(), rel=0.1)


@pytest.mark.usefixtures('_weights')
def test_it_is_zero_for_equal_pictures_and_pulls_towards_the_true_one(random: torch.Generator) -> None:
    loss = GramVGG()
    hr = torch.rand(1, 3, 16, 16, generator=random)
    sr = torch.rand(1, 3, 16, 16, generator=random).requires_grad_()
    assert loss(hr, hr).item() == 0
    before = loss(sr, hr)
    before.backward()
    assert sr.grad is not None
    assert (sr.grad != 0).float().mean() > 0.99
    assert loss(sr - 1e-3 * sr.grad / sr.grad.norm(), hr).item() < before.item()
    assert [parameter for parameter in loss.parameters() if parameter.grad is not None] == []


@pytest.mark.usefixtures('_weights')
def test_half_precision_does_not_overflow(random: torch.Generator) -> None:
    """Features of 300 have squares of 90 000, more than half precision holds."""
    sr, hr = (torch.rand(1, 3, 16, 16, generator=random) for _ in range(2))
    loss = GramVGG(('conv1_1',))
    loss.network.features[0].weight.mul_(300)
    expected = loss(sr, hr).item()
    with torch.autocast('cpu', torch.float16):
        assert loss(sr, hr).item() == pytest.approx(expected, rel=0.02)


@pytest.mark.usefixtures('_weights')
def test_too_small_images_are_refused() -> None:
    with pytest.raises(ValueError, match='GramVGG needs at least 8x8 pixels side by side.*got 7x9: raise queries'):
        GramVGG()(torch.zeros(1, 3, 7, 9), torch.zeros(1, 3, 7, 9))


def test_scattered_pixels_are_refused_before_the_weights_are_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    with pytest.raises(ValueError, match=r'GramVGG compares neighboring pixels.*Set sampling = SamplingType\.Window'):
        build_step(TrainTiny(losses=LOSSES), torch.device('cpu'))
    with pytest.raises(ValueError, match=r'GramVGG: VGG19 can not be used: its ImageNet weights .*Download https'):
        build_step(TrainTiny(losses=LOSSES, sampling=SamplingType.Window), torch.device('cpu'))


@pytest.mark.usefixtures('_weights')
def test_its_layers_can_be_chosen_by_name() -> None:
    def build(**options: object) -> object:
        terms = (LossTerm(LossType.GramVGG, options=options),)  # type: ignore[arg-type]
        return build_step(TrainTiny(losses=terms, sampling=SamplingType.Window), torch.device('cpu'))

    build(layers=('relu1_1',))
    with pytest.raises(ValueError, match="losses: GramVGG has no option 'layer'. Did you mean 'layers'"):
        build(layer=('relu1_1',))
    with pytest.raises(ValueError, match='LossTerm.options must be a dictionary of options by name'):
        LossTerm(LossType.GramVGG, options='relu1_1')  # type: ignore[arg-type]


@pytest.mark.usefixtures('_weights')
def test_a_run_with_it_resumes_bit_for_bit(make_pictures: PictureMaker) -> None:
    make_pictures()
    settings = {'losses': LOSSES, 'sampling': SamplingType.Window}
    whole = TrainTiny(epochs=2, save_path='whole', **settings)
    TrainingOrchestrator(whole).train()
    for epochs in (1, 2):
        TrainingOrchestrator(TrainTiny(epochs=epochs, **settings)).train()
    assert fingerprint(state_of(TrainTiny())) == fingerprint(state_of(whole))
    assert not any('features' in name for name in state_of(whole).network)
