"""Scores of a pair of pictures: XPixelGroup/BasicSR's and yinboc/liif's PSNR and SSIM, piq's metrics."""

import math
import re
from collections.abc import Callable

import torch
from torch import Tensor

from Models import QualityType
from Orchestrators.Evaluation.scoring import ScoreColor, in_color, shave
from tests.readers import Meta
from tests.reference_files import Reference
from Utilities.find_class import find_class
from Utilities.images import to_tensor

BY_PIQ = {
    'gmsd': QualityType.GMSD,
    'vif_p': QualityType.VIFp,
    'fsim': QualityType.FSIMc,
    'fsim_grey': QualityType.FSIM,
    'srsim': QualityType.SR_SIM,
}
NOT_OURS = {
    'piq_ssim': "SSIM is BasicSR's; piq's is 6e-6 beside it",
    'piq_ssim_nodown': "SSIM is BasicSR's; piq's is 6e-6 beside it",
    'piq_srsim_chromatic': 'SR_SIM is the one of luma',
}
"""Scores that are stored and that no metric of ours gives, with reasons."""

TOLERANCES = {'basicsr_psnr': 1e-6, 'basicsr_ssim': 1e-7, 'liif': 1e-4, 'piq_psnr': 2e-5, 'piq': 1e-6}
"""By the beginning of the name. yinboc/liif's PSNR and piq's are computed in float32."""

Pair = tuple[Tensor, Tensor]


def claims(meta: Meta) -> bool:
    return meta.get('class') == 'metrics'


def check(reference: Reference) -> None:
    pair = tuple(to_tensor(reference.array(f'input/{name}'))[None] for name in ('sr', 'hr'))
    scores = [name for name in reference.outputs if name not in NOT_OURS]
    assert scores
    for name in scores:
        found, expected = ours(name, pair), reference[f'output/{name}'].item()
        tolerance = next(tolerance for pattern, tolerance in TOLERANCES.items() if re.match(pattern, name))
        assert abs(found - expected) <= tolerance, f'{name}: {found}, published {expected}'


def ours(name: str, pair: Pair) -> float:
    """Our value of a stored score."""
    for pattern, compute in _BY_NAME.items():
        found = re.fullmatch(pattern, name)
        if found:
            return compute(pair, *found.groups())
    raise AssertionError(f'There is no reading of the score {name!r}.')


def _score(kind: QualityType, sr: Tensor, hr: Tensor) -> float:
    return find_class(kind, 'Models.Quality')()(sr, hr).item()


def _basicsr(pair: Pair, metric: str, in_torch: str, color: ScoreColor, border: str, wrong_order: str) -> float:
    sr, hr = (shave(image.flip(1) if wrong_order else image, int(border)) for image in pair)
    value = _score(QualityType[metric.upper()], in_color(sr, color), in_color(hr, color))
    return _with_noise_floor(value) if in_torch and metric == 'psnr' else value


def _liif(pair: Pair, kind: str, scale: str, gray: str) -> float:
    border = {'none': 0, 'div2k': int(scale or 0) + 6, 'benchmark': int(scale or 0)}[kind]
    sr, hr = (shave(image, border) for image in pair)
    if gray:
        sr, hr = sr[:, :1], hr[:, :1]
    elif kind == 'benchmark':
        sr, hr = in_color(sr, 'Y'), in_color(hr, 'Y')
    return _score(QualityType.PSNR, sr, hr)


def _piq_psnr(pair: Pair, luma: str) -> float:
    weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    sr, hr = ((image * weights).sum(dim=1, keepdim=True) if luma else image for image in pair)
    return _with_noise_floor(_score(QualityType.PSNR, sr, hr))


def _with_noise_floor(psnr: float) -> float:
    """PSNR with 1e-8 added to the mean squared error, as some write it against a division by zero."""
    return -10 * math.log10(10 ** (-psnr / 10) + 1e-8)


_BY_NAME: dict[str, Callable[..., float]] = {
    r'basicsr_(psnr|ssim)(_pt)?_(RGB|Y)_cb(\d+)(_WRONG_rgb_order)?': _basicsr,
    r'liif_psnr_(none|div2k|benchmark)(?:_(\d+))?(_gray)?': _liif,
    r'piq_psnr(_Y)?': _piq_psnr,
    rf'piq_({"|".join(BY_PIQ)})': lambda pair, name: _score(BY_PIQ[name], *pair),
}
