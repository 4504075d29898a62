"""Validation during training: fixed whole pictures at fixed scales, by the evaluator that testing uses."""

import dataclasses
import logging
from collections.abc import Callable, Sequence
from functools import partial

from Configuration.protocols import LIIF, PictureKind
from Datasets.BenchmarkImages import BenchmarkImages
from Datasets.benchmarks import BENCHMARKS, hr_files, list_pictures
from Models.BenchmarkType import BenchmarkType
from Models.QualityType import QualityType
from Models.SuperResolver import SuperResolver
from Models.TestingStrategy import TestingStrategy
from Orchestrators.Evaluation.evaluation import (
    Evaluated,
    Scores,
    build_metrics,
    evaluate,
    mean_scores,
    not_finite,
    without_pictures,
)
from Orchestrators.Prediction.file_names import part_of_name
from Orchestrators.Prediction.prediction import Predictor
from Orchestrators.Prediction.strategies import bicubic, predictor_of
from Orchestrators.Training.pictures import labeled_strip, most_detailed_window
from Orchestrators.Training.Run import Run
from Orchestrators.Training.Validated import ValidationStoppedError
from Utilities.images import Pixels, to_pixels, write_png
from Utilities.reports import format_number

_LOGGER = logging.getLogger(__name__)
_PANEL_SIDE = 256
"""Side of each picture in a sample strip, in pixels; it shows a quarter of that from LR at x4."""


@dataclasses.dataclass(frozen=True)
class ValidationResult:
    """Means per scale, and their mean."""

    scores: dict[float, Scores]

    def mean(self, kind: QualityType) -> float | None:
        """Mean of a metric over the scales; None if a scale lacks it."""
        values = [scores[kind] for scores in self.scores.values()]
        present = [value for value in values if value is not None]
        return sum(present) / len(present) if len(present) == len(values) else None

    def scalars(self) -> dict[str, float]:
        """The means under the names that the log gives them."""
        return {
            scalar_name(kind, scale): value
            for scale, scores in self.scores.items()
            for kind, value in scores.items()
            if value is not None
        }

    def __str__(self) -> str:
        parts = []
        for scale, scores in self.scores.items():
            psnr = format_number(scores[QualityType.PSNR], 2)
            others = [
                f' {kind.name} {format_number(value, 4)}'
                for kind, value in scores.items()
                if kind not in {QualityType.PSNR, QualityType.SSIM}
            ]
            parts.append(f'x{scale:g} {psnr} dB {format_number(scores[QualityType.SSIM], 4)}{"".join(others)}')
        return ' | '.join(parts)


def scalar_name(kind: QualityType, scale: float) -> str:
    """What the log's scalars call a metric at a scale."""
    return f'validation/{kind.name}_x{scale:g}'


class Validation:
    """Pictures, metrics and the protocol, made once per run.

    Args:
        data: a benchmark, or a folder of HR pictures (then compared on RGB).
        scales: scales to validate at.
        examples: pictures used, the first by name; None: all.
        strips: pictures shown at each validation.
        best_by: a metric that is needed, besides PSNR and SSIM.
        run: where it happens.
        max_image_pixels: a larger picture is refused.

    Raises:
        ValueError: if there are no pictures, or the needed metric can't be had.
    """

    def __init__(  # noqa: PLR0913, PLR0917
        self,
        data: BenchmarkType | str,
        scales: Sequence[float],
        examples: int | None,
        strips: int,
        best_by: QualityType,
        run: Run,
        max_image_pixels: int = 100_000_000,
    ) -> None:
        self._run = run
        self._strips = strips
        self._metrics = build_metrics(dict.fromkeys([QualityType.PSNR, QualityType.SSIM, best_by]), run.device)
        if self._metrics[best_by] is None:
            raise ValueError(f'best_by = {best_by} can not be had here, as the warning above says.')
        if isinstance(data, str):
            files = list_pictures(data, 'the validation pictures (valid_data)')[:examples]
            benchmark = BenchmarkType.BENCHMARK
            self._kind: PictureKind = 'photographs'
        else:
            files = hr_files(data)[:examples]
            benchmark = data
            self._kind = BENCHMARKS[benchmark].kind
        self.images: dict[float, BenchmarkImages] = {
            scale: BenchmarkImages.of_protocol(benchmark, files, scale, max_image_pixels=max_image_pixels)
            for scale in scales
        }
        self.pictures = len(files)

    def border_px(self, scale: float) -> int:
        """Pixels shaved off each side before comparing."""
        return LIIF.border_px(self._kind, scale)

    def validate(
        self, network: SuperResolver, epoch: int, samples_seen: int, should_stop: Callable[[], bool]
    ) -> ValidationResult:
        """Score the network, and show some pictures.

        Raises:
            ValidationStoppedError: if `should_stop` says so between two pictures; nothing half-measured is kept.
        """
        network.eval()
        predict = predictor_of(network, TestingStrategy.Simple, self._run.device, None)
        scores: dict[float, Scores] = {}
        for scale, images in self.images.items():
            is_last = scale == list(self.images)[-1]
            results, strips = [], []
            score = partial(self._score, predict, images, scale, self._strips if is_last else 0)
            for result, strip in self._run.ranks.map(len(images), score):
                if should_stop():
                    raise ValidationStoppedError
                results.append(result)
                strips += [(result.name, strip)] if strip is not None else []
            scores[scale] = mean_scores(results)
            if not_finite(results):
                _LOGGER.warning(
                    'Validation at x%g: %s; infinite scores are not in the mean.', scale, not_finite(results)
                )
            self._show(strips, scale, epoch, samples_seen)
        return ValidationResult(scores)

    def _score(
        self, predict: Predictor, images: BenchmarkImages, scale: float, strips: int, index: int
    ) -> tuple[Evaluated, Pixels | None]:
        """A picture's scores, without the picture, and its strip if it is one of the first."""
        color, border_px = LIIF.color_of(self._kind), self.border_px(scale)
        result = evaluate(predict, images[index], self._metrics, color=color, border_px=border_px)
        return without_pictures(result), sample_strip(result, scale) if index < strips else None

    def _show(self, strips: Sequence[tuple[str, Pixels]], scale: float, epoch: int, samples_seen: int) -> None:
        folder = self._run.folder / 'samples'
        for picture, strip in strips if self._run.ranks.is_first else ():
            name = part_of_name(picture)
            write_png(folder / f'epoch_{epoch:04d}_{name}_x{scale:g}.png', strip)
            self._run.trackers.add_picture(f'samples/{name}_x{scale:g}', strip, samples_seen)


def sample_strip(result: Evaluated, scale: float) -> Pixels:
    """LR, bicubic, ours and HR side by side, at the most detailed place of the picture."""
    hr = to_pixels(result.hr[0])
    ours = to_pixels(result.sr[0])
    baseline = to_pixels(bicubic(result.lr, (hr.shape[0], hr.shape[1])).image[0])
    lr = to_pixels(result.lr[0])
    side = max(8, min(_PANEL_SIDE // 2, *hr.shape[:2]))
    top, left = most_detailed_window(hr, side)

    def window(picture: Pixels, over: float = 1) -> Pixels:
        lr_side = max(1, round(side / over))
        return picture[
            round(top / over) : round(top / over) + lr_side, round(left / over) : round(left / over) + lr_side
        ]

    panels = [
        (f'LR (x{scale:g})', window(lr, scale)),
        ('bicubic', window(baseline)),
        ('ours', window(ours)),
        ('HR', window(hr)),
    ]
    return labeled_strip(panels, _PANEL_SIDE)
