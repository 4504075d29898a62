"""PSNR, SSIM and LPIPS against independent values; the published ones are read by tests/readers/metrics.py."""

import hashlib
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from Models import QualityType
from Models.Quality.LPIPS import LPIPS
from Models.Quality.PSNR import PSNR
from Models.Quality.QualityModel import UnavailableError
from Models.Quality.SSIM import SSIM
from Orchestrators.Evaluation.evaluation import build_metrics, score


def test_psnr_and_ssim_agree_with_scikit_image(random: torch.Generator) -> None:
    hr = torch.rand(2, 3, 31, 40, generator=random, dtype=torch.float64)
    sr = (hr + 0.1 * torch.randn(hr.shape, generator=random, dtype=torch.float64)).clamp(0, 1)
    psnr, ssim = PSNR()(sr, hr), SSIM()(sr, hr)
    for number in range(2):
        pair = [image[number].permute(1, 2, 0).numpy() for image in (hr, sr)]
        assert psnr[number].item() == pytest.approx(peak_signal_noise_ratio(*pair, data_range=1), abs=1e-9)
        # scikit-image pads the map and cuts it; truncate 3.5 makes its window 11 wide.
        _, similarity = structural_similarity(
            *pair, data_range=1, channel_axis=-1, gaussian_weights=True, use_sample_covariance=False, full=True
        )
        assert ssim[number].item() == pytest.approx(np.mean(similarity[5:-5, 5:-5]), abs=1e-9)


def test_psnr_by_hand() -> None:
    """A difference of 0.1 everywhere is 20 dB; equal pictures have infinity."""
    image = torch.full((1, 3, 4, 4), 0.5)
    assert PSNR()(image + 0.1, image).item() == pytest.approx(20, abs=1e-5)
    assert PSNR()(image, image).item() == math.inf


def test_ssim_of_equal_pictures_is_1_and_order_does_not_matter(random: torch.Generator) -> None:
    first, second = torch.rand(2, 1, 3, 20, 20, generator=random)
    assert SSIM()(first, first).item() == pytest.approx(1)
    assert SSIM()(first, second).item() == pytest.approx(SSIM()(second, first).item())


def test_a_picture_too_small_for_a_metric_has_no_score_and_is_told_once(
    random: torch.Generator, caplog: pytest.LogCaptureFixture
) -> None:
    metrics = build_metrics([QualityType.PSNR, QualityType.SSIM], torch.device('cpu'))
    small = torch.rand(1, 3, 12, 14, generator=random)
    for _ in range(2):
        scores = score(small, small.flip(-1), metrics, color='RGB', border_px=2)
        assert scores[QualityType.SSIM] is None
        assert scores[QualityType.PSNR] is not None
    (record,) = caplog.records
    assert 'SSIM is missing' in record.getMessage()
    assert 'smaller than 11 pixels, such as 10x8' in record.getMessage()


# LPIPS: the backbone's weights are not on this machine, so a seeded random AlexNet stands in under a matching name.


@pytest.fixture
def planted_backbone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    torchvision = pytest.importorskip('torchvision')
    pytest.importorskip('lpips')
    torch.manual_seed(0)
    folder = tmp_path / 'hub' / 'checkpoints'
    folder.mkdir(parents=True)
    unnamed = folder / 'unnamed'
    torch.save(torchvision.models.alexnet(weights=None).state_dict(), unnamed)
    name = f'alexnet-owt-{hashlib.sha256(unnamed.read_bytes()).hexdigest()[:8]}.pth'
    unnamed.rename(folder / name)
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    monkeypatch.setattr(LPIPS, 'file', name)
    return folder / name


@pytest.mark.filterwarnings('ignore:.*(pretrained|weight enum):UserWarning')  # lpips' own call of torchvision
def test_lpips_is_the_packages_own(planted_backbone: Path, random: torch.Generator) -> None:
    """The same numbers as lpips with its own copy of the same backbone."""
    import lpips

    pair = torch.rand(2, 1, 3, 48, 64, generator=random)
    official = lpips.LPIPS(net='alex', pnet_rand=True, verbose=False)
    state = torch.load(planted_backbone, weights_only=True)
    slices = official.net.state_dict()
    official.net.load_state_dict({key: state['features.' + key.partition('.')[2]] for key in slices})
    metric = LPIPS()
    with torch.inference_mode():
        expected = official.eval()(pair[0], pair[1], normalize=True)
        assert metric(pair[0], pair[1]).item() == pytest.approx(expected.item(), abs=1e-6)
        assert metric(pair[0], pair[0]).item() == 0
    assert metric(pair[0, ..., :31, :31], pair[1, ..., :31, :31]).shape == (1,)
    assert not any(parameter.requires_grad for parameter in metric.parameters())


def test_lpips_refuses_a_damaged_backbone(planted_backbone: Path) -> None:
    content = bytearray(planted_backbone.read_bytes())
    content[len(content) // 2] ^= 1
    planted_backbone.write_bytes(content)
    with pytest.raises(UnavailableError, match='is not the published file'):
        LPIPS()


def test_lpips_without_weights_is_missing_and_says_how_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, random: torch.Generator
) -> None:
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    metrics = build_metrics([QualityType.PSNR, QualityType.LPIPS], torch.device('cpu'))
    (record,) = caplog.records
    assert 'Download https://download.pytorch.org/models/alexnet-owt-7be5be79.pth' in record.getMessage()
    assert str(tmp_path / 'hub' / 'checkpoints') in record.getMessage()
    image = torch.rand(1, 3, 40, 40, generator=random)
    assert score(image, image, metrics, color='RGB', border_px=2)[QualityType.LPIPS] is None
