"""The metrics beside PSNR, SSIM and LPIPS, against fixtures, published values and second implementations."""

import hashlib
import os
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from Models import QualityType
from Models.Quality.DISTS import DISTS
from Models.Quality.LPIPS import LPIPS
from Models.Quality.LPIPS_Squeeze import LPIPS_Squeeze
from Models.Quality.LPIPS_VGG import LPIPS_VGG
from Models.Quality.MS_SSIM import MS_SSIM
from Models.Quality.NIQE import NIQE
from Models.Quality.QualityModel import QualityModel, UnavailableError
from Models.Quality.SSIM import SSIM
from Orchestrators.Evaluation.evaluation import build_metrics, score
from tests.conftest import smooth_picture
from Utilities.find_class import find_class
from Utilities.images import read_image, to_tensor

METRICS_PAGE = Path(__file__).parents[3] / 'docs' / 'metrics.md'
ALONE = [kind for kind in QualityType if kind.name not in ('LPIPS', 'LPIPS_VGG', 'LPIPS_Squeeze', 'DISTS', 'NIQE')]


def metric_of(kind: QualityType | str) -> QualityModel:
    member = QualityType[kind] if isinstance(kind, str) else kind
    return find_class(member, 'Models.Quality')()


def smooth_pair(height: int, width: int) -> tuple[Tensor, Tensor]:
    """A picture and a noisy copy of it, in [0, 1]."""
    hr = to_tensor(smooth_picture(height, width, 1))[None]
    noise = torch.randn(hr.shape, generator=torch.Generator().manual_seed(1))
    return (hr + 0.05 * noise).clamp(0, 1), hr


# By piq


def test_vifp_is_on_the_scale_to_255() -> None:
    """torchmetrics gives the same for gray scaled to [0, 255], and 0.2 and more beside it for [0, 1]."""
    functional = pytest.importorskip('torchmetrics.functional.image')
    sr, hr = smooth_pair(64, 72)
    gray = [(image * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True) for image in (sr, hr)]
    found = metric_of('VIFp')(sr, hr).item()
    right = functional.visual_information_fidelity(*(255 * image for image in gray)).item()
    assert found == pytest.approx(right, abs=1e-5)
    assert abs(functional.visual_information_fidelity(*gray).item() - right) > 0.1


def test_gmsd_by_hand() -> None:
    """Gray halved by 2x2 means, Prewitt gradients with zeros around, deviation over all positions."""
    pair = [image[0].double().numpy() for image in smooth_pair(24, 20)]
    magnitudes = []
    for image in pair:
        gray = np.tensordot([0.299, 0.587, 0.114], image, 1)
        half = np.pad(gray.reshape(12, 2, 10, 2).mean(axis=(1, 3)), 1)
        rows = half[:-2] + half[1:-1] + half[2:]
        columns = half[:, :-2] + half[:, 1:-1] + half[:, 2:]
        gx, gy = (rows[:, 2:] - rows[:, :-2]) / 3, (columns[2:] - columns[:-2]) / 3
        magnitudes.append(np.hypot(gx, gy))
    x, y = magnitudes
    similarity = (2 * x * y + 170 / 255**2) / (x**2 + y**2 + 170 / 255**2)
    assert metric_of('GMSD')(*smooth_pair(24, 20)).item() == pytest.approx(np.std(similarity), abs=1e-5)


# MS-SSIM


def ms_ssim_by_hand(x: np.ndarray, y: np.ndarray) -> float:
    """One channel, each window visited by itself."""
    window = np.exp(-((np.arange(11) - 5) ** 2) / 4.5)
    window = np.outer(window, window) / window.sum() ** 2
    product = 1.0
    for scale, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        views = [np.lib.stride_tricks.sliding_window_view(image, (11, 11)) for image in (x, y)]
        mx, my = (np.einsum('hwij,ij->hw', view, window) for view in views)
        dx, dy = views[0] - mx[..., None, None], views[1] - my[..., None, None]
        vx, vy, c = (np.einsum('hwij,ij->hw', one * other, window) for one, other in ((dx, dx), (dy, dy), (dx, dy)))
        term = (2 * c + 9e-4) / (vx + vy + 9e-4)
        if scale == 4:
            term = term * (2 * mx * my + 1e-4) / (mx**2 + my**2 + 1e-4)
        product *= term.mean() ** weight
        x, y = (np.pad(image, [(0, side % 2) for side in image.shape], mode='edge') for image in (x, y))
        x, y = ((image[::2, ::2] + image[1::2, ::2] + image[::2, 1::2] + image[1::2, 1::2]) / 4 for image in (x, y))
    return product


def test_ms_ssim_by_hand() -> None:
    sr, hr = (image.double() for image in smooth_pair(163, 170))
    expected = np.mean([ms_ssim_by_hand(sr[0, channel].numpy(), hr[0, channel].numpy()) for channel in range(3)])
    assert MS_SSIM()(sr, hr).item() == pytest.approx(expected, abs=1e-10)


def test_ms_ssim_agrees_with_piq() -> None:
    """Where all sides are even; piq takes zeros beyond the border of odd ones."""
    piq = pytest.importorskip('piq')
    sr, hr = (image.double() for image in smooth_pair(176, 192))
    assert MS_SSIM()(sr, hr).item() == pytest.approx(piq.multi_scale_ssim(sr, hr).item(), abs=1e-6)


def test_ms_ssim_of_a_negative_is_zero_and_no_nan() -> None:
    _, hr = smooth_pair(176, 176)
    assert MS_SSIM()(1 - hr, hr).item() == 0


# What every metric promises


@pytest.mark.parametrize('kind', ALONE)
def test_equal_pictures_have_the_best_score(kind: QualityType) -> None:
    metric = metric_of(kind)
    sr, hr = smooth_pair(max(48, metric.minimum_side), 180)
    best = metric.score_range[1] if metric.higher_is_better else metric.score_range[0]
    # Information can also be added: a raised contrast has more than all of it.
    best = 1 if kind is QualityType.VIFp else best
    assert metric(hr, hr).item() == pytest.approx(best, abs=1e-5)
    worse = metric(sr, hr).item()
    assert worse < best if metric.higher_is_better else worse > best
    low, high = metric.score_range
    assert low <= worse <= high


@pytest.mark.parametrize('kind', ALONE)
def test_the_smallest_picture_has_a_score_and_a_batch_has_one_for_each(kind: QualityType) -> None:
    metric = metric_of(kind)
    side = max(metric.minimum_side, 2)
    sr, hr = smooth_pair(side, side)
    other = torch.cat([sr, hr]), torch.cat([hr, hr])
    scores = metric(*other)
    assert scores.shape == (2,)
    assert torch.isfinite(scores[0])
    assert scores[0].item() == pytest.approx(metric(sr, hr).item(), abs=1e-5)


def test_the_page_has_a_row_for_each_metric_with_what_the_class_says() -> None:
    rows = [line.split('|') for line in METRICS_PAGE.read_text(encoding='utf-8').splitlines() if line.startswith('| `')]
    table = {cells[1].strip(' `'): [cell.strip() for cell in cells[2:-1]] for cells in rows}
    for kind in QualityType:
        metric = find_class(kind, 'Models.Quality')
        _, better, colors, side, needs = table[kind.name]
        assert better == ('higher' if metric.higher_is_better else 'lower')
        assert ('RGB' in colors) == (metric.color == 'RGB')
        assert int(side) == metric.minimum_side
        assert needs == (', '.join(f'`{part}`' for part in metric.needs.split(', ')) if metric.needs else '')


# Networks: the ImageNet weights are not on this machine, so seeded random ones stand in under matching names.


def plant(folder: Path, prefix: str, state: dict[str, Tensor]) -> str:
    checkpoints = folder / 'hub' / 'checkpoints'
    checkpoints.mkdir(parents=True)
    torch.save(state, checkpoints / 'unnamed')
    name = f'{prefix}-{hashlib.sha256((checkpoints / "unnamed").read_bytes()).hexdigest()[:8]}.pth'
    (checkpoints / 'unnamed').rename(checkpoints / name)
    return name


def vgg16_features() -> nn.Sequential:
    """VGG16's layers (Simonyan and Zisserman, configuration D), random."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    channels = 3
    for width in (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0):
        if width:
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        else:
            layers.append(nn.MaxPool2d(2, 2))
    return nn.Sequential(*layers[:-1])


@pytest.fixture
def planted_vgg16(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> nn.Sequential:
    features = vgg16_features()
    name = plant(tmp_path, 'vgg16', {f'features.{key}': value for key, value in features.state_dict().items()})
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    monkeypatch.setattr(LPIPS_VGG, 'file', name)
    monkeypatch.setattr(DISTS, 'file', name)
    # The library's own loading takes the published file alone.
    dists = pytest.importorskip('torchmetrics.functional.image.dists')
    monkeypatch.setattr(dists, 'vgg16', lambda **_: types.SimpleNamespace(features=vgg16_features()))
    return features


@pytest.mark.filterwarnings('ignore:.*(pretrained|weight enum):UserWarning')  # lpips' own call of torchvision
def test_lpips_squeeze_is_the_packages_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, random: torch.Generator
) -> None:
    lpips, torchvision = pytest.importorskip('lpips'), pytest.importorskip('torchvision')
    torch.manual_seed(0)
    state = torchvision.models.squeezenet1_1(weights=None).state_dict()
    monkeypatch.setattr(LPIPS_Squeeze, 'file', plant(tmp_path, 'squeezenet1_1', state))
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    official = lpips.LPIPS(net='squeeze', pnet_rand=True, verbose=False)
    slices = official.net.state_dict()
    official.net.load_state_dict({key: state['features.' + key.partition('.')[2]] for key in slices})
    pair = torch.rand(2, 1, 3, 40, 33, generator=random)
    with torch.inference_mode():
        expected = official.eval()(pair[0], pair[1], normalize=True).item()
        assert LPIPS_Squeeze()(pair[0], pair[1]).item() == pytest.approx(expected, abs=1e-6)
        assert LPIPS_Squeeze()(pair[0, ..., :17, :17], pair[1, ..., :17, :17]).shape == (1,)


def test_lpips_vgg_by_hand(planted_vgg16: nn.Sequential, random: torch.Generator) -> None:
    """Zhang et al., equation 1, in double precision: heads from the package, layers relu1_2 to relu5_3."""
    lpips = pytest.importorskip('lpips')
    pair = torch.rand(2, 1, 3, 24, 20, generator=random)
    heads = torch.load(Path(lpips.__file__).parent / 'weights/v0.1/vgg.pth', map_location='cpu', weights_only=True)
    shift, scale = (
        torch.tensor(values, dtype=torch.float64).view(3, 1, 1)
        for values in ([-0.030, -0.088, -0.188], [0.458, 0.448, 0.450])
    )
    network = planted_vgg16.double().eval()
    expected = 0.0
    first, second = ((2 * image.double() - 1 - shift) / scale for image in pair)
    with torch.inference_mode():
        for number, layer in enumerate(network):
            first, second = layer(first), layer(second)
            if number in (3, 8, 15, 22, 29):
                head = heads[f'lin{(3, 8, 15, 22, 29).index(number)}.model.1.weight'].double()
                units = [image / (image.norm(dim=1, keepdim=True) + 1e-10) for image in (first, second)]
                expected += (head * (units[0] - units[1]) ** 2).sum(dim=1).mean().item()
        assert LPIPS_VGG()(*pair).item() == pytest.approx(expected, rel=1e-4)


def test_dists_by_hand(planted_vgg16: nn.Sequential, random: torch.Generator) -> None:
    """Ding et al., equations 3 to 6, in double precision: squares pooled by a Hann window; weights from the wheel."""
    library = pytest.importorskip('torchmetrics.functional.image.dists')
    pair = torch.rand(2, 1, 3, 24, 40, generator=random)
    weights = torch.load(library._PATH_WEIGHT_DISTS, weights_only=True)
    alpha, beta = weights['alpha'].double().flatten(), weights['beta'].double().flatten()
    total = (alpha.sum() + beta.sum()).item()
    hann = torch.tensor([0.5, 1, 0.5], dtype=torch.float64)
    hann = torch.outer(hann, hann) / 4
    mean, deviation = (
        torch.tensor(values, dtype=torch.float64).view(3, 1, 1)
        for values in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    )
    stages: list[list[Tensor]] = []
    with torch.inference_mode():
        for image in pair.double():
            maps = [image]
            layer_input = (image - mean) / deviation
            for layer in planted_vgg16.double():
                if isinstance(layer, nn.MaxPool2d):
                    maps.append(layer_input)
                    kernel = hann.expand(layer_input.shape[1], 1, 3, 3)
                    pooled = nn.functional.conv2d(layer_input**2, kernel, None, 2, 1, 1, layer_input.shape[1])
                    layer_input = (pooled + 1e-12).sqrt()
                else:
                    layer_input = layer(layer_input)
            stages.append([*maps, layer_input])
        similarity, start = 0.0, 0
        for maps_of_pair in zip(*stages, strict=True):
            x, y = (features[0].flatten(1) for features in maps_of_pair)
            mx, my = x.mean(1), y.mean(1)
            vx, vy, c = x.var(1, correction=0), y.var(1, correction=0), (x * y).mean(1) - mx * my
            part = slice(start, start := start + len(mx))
            texture = (2 * mx * my + 1e-6) / (mx**2 + my**2 + 1e-6)
            structure = (2 * c + 1e-6) / (vx + vy + 1e-6)
            similarity += ((alpha[part] * texture + beta[part] * structure).sum() / total).item()
        metric = DISTS()
        assert metric(*pair).item() == pytest.approx(1 - similarity, abs=1e-4)
        assert metric(pair[0], pair[0]).item() == pytest.approx(0, abs=1e-5)
    assert not any(parameter.requires_grad for parameter in metric.parameters())


@pytest.mark.parametrize(('metric', 'kind'), [(LPIPS_VGG, 'vgg16'), (DISTS, 'vgg16'), (LPIPS_Squeeze, 'squeezenet1_1')])
def test_a_file_that_is_not_the_published_one_is_refused(
    metric: type[LPIPS], kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a file of other weights under a right hash, which only we could plant."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    published = tmp_path / 'hub' / 'checkpoints' / metric.file
    name = plant(tmp_path, kind, {'features.0.weight': torch.zeros(1)})
    published.with_name(name).rename(published)
    with pytest.raises(UnavailableError, match=f'{metric.__name__} can not be used: .* is not the published file'):
        metric()
    published.rename(published.with_name(name))
    monkeypatch.setattr(metric, 'file', name)
    with pytest.raises(UnavailableError, match=f'{metric.__name__} can not be used'):
        metric()


# NIQE: pyiqa is no dependency, so a stand-in shows what is asked of it.


def test_niqe_asks_pyiqa_for_the_picture_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    class MeanOfAll(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            return image.mean()

    def create_metric(name: str, **settings: Any) -> nn.Module:
        asked.append((name, settings))
        return MeanOfAll()

    pyiqa = types.ModuleType('pyiqa')
    monkeypatch.setattr(pyiqa, 'create_metric', create_metric, raising=False)
    monkeypatch.setitem(sys.modules, 'pyiqa', pyiqa)
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    with pytest.raises(UnavailableError, match=r'niqe_modelparameters\.mat\. Download https://huggingface\.co/'):
        NIQE()
    file = tmp_path / 'hub/pyiqa/niqe_modelparameters.mat'
    file.parent.mkdir(parents=True)
    file.touch()
    metric = NIQE()
    assert asked == [('niqe', {'device': torch.device('cpu'), 'pretrained_model_path': str(file)})]
    picture = torch.full((1, 3, 2, 2), 0.25)
    assert metric(picture, 2 * picture).tolist() == [0.25]


# Without the packages


@pytest.mark.parametrize(
    ('kind', 'package'),
    [
        ('LPIPS', 'lpips'), ('LPIPS_VGG', 'lpips'), ('DISTS', 'torchmetrics'), ('GMSD', 'piq'), ('FSIM', 'piq'),
        ('FSIMc', 'piq'), ('VIFp', 'piq'), ('SR_SIM', 'piq'), ('NIQE', 'pyiqa'),
    ],
)  # fmt: skip
def test_a_metric_without_its_package_is_missing_and_says_how_to_get_it(
    kind: str, package: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in [name for name in sys.modules if name.partition('.')[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)  # type: ignore[arg-type]
    for metric in (LPIPS, DISTS):
        monkeypatch.setattr(f'{metric.__module__}.read_imagenet_weights', lambda *_: {})
    metrics = build_metrics([QualityType[kind], QualityType.PSNR], torch.device('cpu'))
    (record,) = caplog.records
    assert record.getMessage().startswith(f'{kind} can not be used: it needs the package {package}')
    assert f'pip install {package}' in record.getMessage()
    sr, hr = smooth_pair(44, 44)
    scores = score(sr, hr, metrics, color='RGB', border_px=2)
    assert scores[QualityType[kind]] is None
    assert scores[QualityType.PSNR] is not None


# Published values, where the pictures are at hand

TID2013 = {
    # MATLAB's or the authors' own code, as chaofengc/IQA-PyTorch@01ae427 lists it: I03, I04, I06, I08, I19.
    'SSIM': (0.6993, 0.9978, 0.9989, 0.9669, 0.6519),
    'MS_SSIM': (0.6733, 0.9996, 0.9998, 0.9566, 0.8462),
    'FSIMc': (0.6890, 0.9702, 0.9927, 0.9575, 0.8220),
    'GMSD': (0.220348, 0.000522, 0.000448, 0.134632, 0.204997),
    'LPIPS': (0.7237, 0.2572, 0.05079, 0.05205, 0.4253),
    'DISTS': (0.4742, 0.1424, 0.06825, 0.02867, 0.3123),
    'NIQE': (15.7536, 3.6549, 3.2355, 3.1840, 8.6352),
}
TOLERANCES = {'GMSD': 3e-4, 'NIQE': 0.5, 'FSIMc': 2e-4}


def data_folder(name: str) -> Path:
    folder = Path(os.environ.get('ASSR_DATASETS', 'datasets')) / 'metric_pairs' / name
    if not folder.is_dir():
        pytest.skip(f'metric_pairs/{name} is not under ./datasets or $ASSR_DATASETS')
    return folder


def tid2013_pairs() -> list[tuple[Tensor, Tensor]]:
    folder = data_folder('tid2013_5pairs')
    return [
        tuple(
            to_tensor(read_image(next((folder / part).glob(f'{name}*'))).pixels)[None]
            for part in ('dist_dir', 'ref_dir')
        )
        for name in ('I03', 'I04', 'I06', 'I08', 'I19')
    ]  # type: ignore[return-value]


def rgb2gray(image: Tensor) -> Tensor:
    """As MATLAB's, rounded to 8 bits."""
    weights = image.new_tensor([0.298936, 0.587043, 0.114021]).view(1, 3, 1, 1)
    return (255 * image * weights).sum(1, keepdim=True).round() / 255


@pytest.mark.data
@pytest.mark.parametrize('name', ['FSIMc', 'GMSD', 'LPIPS', 'DISTS', 'NIQE'])
def test_metrics_of_the_tid2013_pairs_are_what_the_authors_code_gives(name: str) -> None:
    """On RGB. GMSD's authors round the gray picture to 8 bits first; no more than 3e-4 comes of it."""
    pairs = tid2013_pairs()
    try:
        metric = metric_of(name)
    except UnavailableError as error:
        pytest.skip(str(error))
    with torch.inference_mode():
        found = [metric(*pair).item() for pair in pairs]
    assert found == pytest.approx(TID2013[name], abs=TOLERANCES.get(name, 1e-4))


@pytest.mark.data
def test_ssim_of_the_tid2013_pairs_is_matlabs() -> None:
    found = [SSIM()(rgb2gray(sr), rgb2gray(hr)).item() for sr, hr in tid2013_pairs()]
    assert found == pytest.approx(TID2013['SSIM'], abs=6e-5)


@pytest.mark.data
def test_ms_ssim_of_the_tid2013_pairs_has_the_scales_of_matlab() -> None:
    """The list has the authors' variant that adds up the scales instead of multiplying them."""
    from Models.Quality.MS_SSIM import _WEIGHTS, _halve
    from Models.Quality.SSIM import contrast_and_structure, local_statistics, luminance

    sums = []
    for pair in tid2013_pairs():
        x, y = (rgb2gray(image).double() for image in pair)
        total = 0.0
        for scale, weight in enumerate(_WEIGHTS):
            statistics = local_statistics(x, y)
            similarity = contrast_and_structure(statistics) * (luminance(statistics) if scale == 4 else 1)
            total += weight * similarity.mean().item()
            x, y = _halve(x), _halve(y)
        sums.append(total)
    # The list cuts its decimals off.
    assert sums == pytest.approx([value + 5e-5 for value in TID2013['MS_SSIM']], abs=1e-4)


@pytest.mark.data
@pytest.mark.parametrize(('name', 'expected'), [('FSIM', 0.93674), ('FSIMc', 0.92587), ('VIFp', 0.3147)])
def test_metrics_of_piqs_own_pair(name: str, expected: float) -> None:
    """TID2013's I01 and i01_01_5, with the values that piq's own tests expect of the authors' code."""
    folder = data_folder('piq')
    pair = [
        to_tensor(np.asarray(Image.open(folder / file).convert('RGB')))[None] for file in ('i01_01_5.bmp', 'I01.BMP')
    ]
    assert metric_of(name)(*pair).item() == pytest.approx(expected, abs=1e-4)
