"""The one evaluator: validation during training and testing afterwards both score here."""

import dataclasses
import logging
import math
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from Datasets.BenchmarkImages import TestPair
from Models.Quality.QualityModel import QualityModel, UnavailableError
from Models.QualityType import QualityType
from Orchestrators.Evaluation.scoring import ScoreColor, in_color, shave
from Orchestrators.Prediction.prediction import Exactness, Predictor, naming
from Utilities.find_class import find_class

_LOGGER = logging.getLogger(__name__)

Metrics = Mapping[QualityType, QualityModel | None]
Scores = dict[QualityType, float | None]
"""None: the metric can't be had, or does not apply."""


@dataclasses.dataclass(frozen=True)
class Evaluated:
    """A picture and its scores."""

    name: str
    lr: Float[Tensor, '1 3 h w']
    sr: Float[Tensor, '1 3 height width']
    hr: Float[Tensor, '1 3 height width']
    scores: Scores
    seconds: float
    """Time that the prediction took."""

    exactness: Exactness

    difference_from_whole: float | None = None
    """Largest absolute difference from the picture upscaled whole, in 0..1, where it was measured."""

    scale_consistency_db: float | None = None
    """PSNR in dB between the input and the result, reduced again, where it was measured."""


def build_metrics(kinds: Iterable[QualityType], device: torch.device) -> Metrics:
    """The metrics by kind; one that can't be had is None, after one warning that says how to get it."""
    metrics: dict[QualityType, QualityModel | None] = {}
    for kind in kinds:
        try:
            metrics[kind] = find_class(kind, 'Models.Quality')().to(device)
        except UnavailableError as error:
            _LOGGER.warning('%s', error)
            metrics[kind] = None
    return metrics


def evaluate(  # noqa: PLR0913
    predict: Predictor,
    pair: TestPair,
    metrics: Metrics,
    *,
    color: ScoreColor,
    border_px: int,
    rounds_to_8_bits: bool = False,
) -> Evaluated:
    """Predict and score a picture.

    Args:
        predict: from LR image and size to image.
        pair: the picture at one scale.
        metrics: from `build_metrics`.
        color: what the protocol compares; a metric that needs RGB gets RGB all the same.
        border_px: pixels shaved off each side before comparing.
        rounds_to_8_bits: compare what a file would hold; the picture that is handed on is not rounded.
    """
    start = time.perf_counter()
    lr_size, size = (pair.lr.shape[2], pair.lr.shape[3]), (pair.hr.shape[2], pair.hr.shape[3])
    with naming(pair.name, lr_size, size):
        prediction = predict(pair.lr, size)
    seconds = time.perf_counter() - start
    sr = prediction.image
    compared = (sr * 255).round() / 255 if rounds_to_8_bits else sr
    scores = score(compared, pair.hr, metrics, color=color, border_px=border_px)
    return Evaluated(pair.name, pair.lr, sr, pair.hr, scores, seconds, prediction.exactness)


@torch.inference_mode()
def score(
    sr: Float[Tensor, '1 3 height width'],
    hr: Float[Tensor, '1 3 height width'],
    metrics: Metrics,
    *,
    color: ScoreColor,
    border_px: int,
) -> Scores:
    """Scores of one picture by every metric; None where a metric can't be had or the picture is too small for it."""
    image, reference = shave(sr, border_px), shave(hr, border_px)
    # Some libraries stop at a picture that is not a number instead of answering so.
    is_finite = bool(image.isfinite().all())
    scores: Scores = {}
    for kind, metric in metrics.items():
        if metric is None or not metric.applies_to((image.shape[-2], image.shape[-1])):
            scores[kind] = None
            continue
        if not is_finite:
            scores[kind] = math.nan
            continue
        compared: ScoreColor = 'RGB' if metric.color == 'RGB' else color
        device = next((buffer.device for buffer in metric.parameters()), image.device)
        scores[kind] = float(metric(in_color(image, compared).to(device), in_color(reference, compared).to(device)))
    return scores


def without_pictures(result: Evaluated) -> Evaluated:
    """The scores stay, the pictures go: a benchmark of 2K pictures would not fit into memory."""
    nothing = result.sr.new_empty(1, 3, 0, 0)
    return dataclasses.replace(result, lr=nothing, sr=nothing, hr=nothing)


def mean_scores(results: Sequence[Evaluated]) -> Scores:
    """Mean of each score over the pictures; None where a picture lacks it, as a mean over fewer would mislead.

    Infinite scores, such as the PSNR of equal pictures, are left out unless there are no others; one that is not a
    number makes the mean one too. `not_finite` counts both.
    """
    means: Scores = {}
    for kind in results[0].scores if results else ():
        means[kind] = mean_of([result.scores[kind] for result in results])
    return means


def mean_of(values: Sequence[float | None]) -> float | None:
    """Mean of one score, by the rules of `mean_scores`."""
    present = [value for value in values if value is not None]
    kept = [value for value in present if not math.isinf(value)] or present
    return sum(kept) / len(kept) if present and len(present) == len(values) else None


def not_finite(results: Sequence[Evaluated]) -> str:
    """Counts of scores that are no finite numbers: `PSNR: 1 inf, SSIM: 2 nan`; empty if all are."""
    counts = Counter(
        f'{kind.name}: {{}} {value:g}'
        for result in results
        for kind, value in result.scores.items()
        if value is not None and not math.isfinite(value)
    )
    return ', '.join(text.format(count) for text, count in counts.items())
