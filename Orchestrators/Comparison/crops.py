"""The places at which models differ most: the same crop from each of them, with maps of the difference from HR."""

import dataclasses
import io
import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from Orchestrators.Comparison.comparisons import Result
from Orchestrators.Comparison.figures import data_uri
from Orchestrators.Comparison.scores import Scores, Test
from Orchestrators.Comparison.shown_pictures import PictureUnavailableError, ShownPicture, ShownPictures
from Orchestrators.Evaluation.result_rows import BICUBIC
from Utilities.images import Pixels

SIDE_PX = 56
"""Side of a crop in HR pixels. The page shows each pixel as three."""

_THUMBNAIL_PX = 168
_ATTEMPTS = 2
"""Pictures of a test that are tried: what is missing for two is missing for all, and trying takes time."""


@dataclasses.dataclass(frozen=True)
class Panel:
    """One picture of a row of crops."""

    title: str
    remark: str
    picture: str
    difference: str | None = None
    """Map of the difference from HR."""


@dataclasses.dataclass(frozen=True)
class CropRow:
    """The crops of one picture."""

    title: str
    panels: tuple[Panel, ...]


@dataclasses.dataclass(frozen=True)
class _Candidate:
    test: Test
    picture: str
    spread: float


def crop_rows(
    results: Sequence[Result], scores: Scores, shown: ShownPictures, count: int
) -> tuple[list[CropRow], list[str]]:
    """The crops of the pictures on which the networks' scores lie furthest apart, each picture and each test once.

    Args:
        results: by the metric that models are ranked by.
        scores: what they were made from.
        shown: where pictures come from.
        count: how many pictures.

    Returns:
        The rows, and why pictures could not be had, each reason once.
    """
    rows: list[CropRow] = []
    reasons: dict[str, None] = {}
    done: set[tuple[str, str] | Test] = set()
    failures: Counter[Test] = Counter()
    for candidate in _candidates(results, scores):
        if len(rows) == count:
            break
        photograph = (candidate.test.benchmark, candidate.picture)
        if photograph in done or candidate.test in done or failures[candidate.test] == _ATTEMPTS:
            continue
        try:
            picture = shown.get(candidate.test, candidate.picture)
        except PictureUnavailableError as error:
            reasons[str(error)] = None
            failures[candidate.test] += 1
            continue
        done |= {photograph, candidate.test}
        rows.append(_row(candidate, picture, results[0]))
    return rows, list(reasons)


def _candidates(results: Sequence[Result], scores: Scores) -> list[_Candidate]:
    metric = results[0].metric
    found = []
    for result in results:
        networks = [runs for model, runs in scores.tests[result.test].items() if model != BICUBIC]
        for picture in result.pictures:
            values = [next(iter(runs.values()))[picture].number(metric.name) for runs in networks]
            finite = [value for value in values if value is not None]
            if len(finite) > 1:
                found.append(_Candidate(result.test, picture, max(finite) - min(finite)))
    return sorted(found, key=lambda candidate: (-candidate.spread, candidate.test.title, candidate.picture))


def _row(candidate: _Candidate, shown: ShownPicture, result: Result) -> CropRow:
    metric = result.metric
    top, left = _most_different_window([shown.sr[model] for model in shown.sr if model != BICUBIC])
    window = (slice(top, top + SIDE_PX), slice(left, left + SIDE_PX))
    maps = {model: _difference(sr[window], shown.hr[window]) for model, sr in shown.sr.items()}
    largest = max(1, *(int(np.ceil(found.max())) for found in maps.values()))
    panels = [
        Panel('whole picture', f'{shown.hr.shape[1]}x{shown.hr.shape[0]}', _thumbnail(shown.hr, top, left)),
        Panel('LR', f'{shown.lr.shape[1]}x{shown.lr.shape[0]} in all', _png(_lr_window(shown, top, left))),
    ]
    for model, sr in shown.sr.items():
        score = shown.rows[model].number(metric.name)
        remark = '' if score is None else f'{score:.{metric.decimals}f} {metric.unit}'.strip()
        seed = f', {shown.runs[model]}' if shown.runs[model] else ''
        panels.append(Panel(model, remark + seed, _png(sr[window]), _png(_colored(maps[model] / largest))))
    scale_bar = np.tile(np.linspace(0, 1, SIDE_PX), (SIDE_PX // 4, 1))
    panels.append(Panel('HR', f'maps: 0 to {largest} of 255', _png(shown.hr[window]), _png(_colored(scale_bar))))
    spread = f'{candidate.spread:.{metric.decimals}f} {metric.unit}'.strip()
    title = f'{candidate.picture}, {candidate.test.title}: {spread} between the best and the worst network'
    return CropRow(title, tuple(panels))


def _most_different_window(pictures: Sequence[Pixels]) -> tuple[int, int]:
    """Top and left of the window in which pictures vary most between themselves."""
    spread = np.stack(pictures).astype(np.float32).var(axis=0).sum(axis=-1)
    height, width = spread.shape
    sums = np.pad(spread.astype(np.float64).cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    tall, wide = min(SIDE_PX, height), min(SIDE_PX, width)
    windows = sums[tall:, wide:] - sums[:-tall, wide:] - sums[tall:, :-wide] + sums[:-tall, :-wide]
    top, left = np.unravel_index(int(windows.argmax()), windows.shape)
    return int(top), int(left)


def _difference(picture: Pixels, hr: Pixels) -> npt.NDArray[np.float64]:
    """Mean absolute difference over the channels, 0 to 255."""
    return np.asarray(np.abs(picture.astype(np.float64) - hr).mean(axis=-1))


def _colored(values: npt.NDArray[np.float64]) -> Pixels:
    import matplotlib as mpl  # noqa: PLC0415  optional, slow

    return np.asarray(mpl.colormaps['cividis'](values, bytes=True))[..., :3]


def _lr_window(shown: ShownPicture, top: int, left: int) -> Pixels:
    """The LR pixels of the window, at the window's size without smoothing."""
    height, width = min(SIDE_PX, shown.hr.shape[0]), min(SIDE_PX, shown.hr.shape[1])
    rows, columns = shown.lr.shape[0] / shown.hr.shape[0], shown.lr.shape[1] / shown.hr.shape[1]
    box = (left * columns, top * rows, (left + width) * columns, (top + height) * rows)
    return np.asarray(Image.fromarray(shown.lr).resize((width, height), Image.Resampling.NEAREST, box=box))


def _thumbnail(hr: Pixels, top: int, left: int) -> str:
    """The whole picture with the window's frame in it."""
    shrunk = max(1.0, max(hr.shape[:2]) / _THUMBNAIL_PX)
    size = (math.ceil(hr.shape[1] / shrunk), math.ceil(hr.shape[0] / shrunk))
    image = Image.fromarray(hr).resize(size, Image.Resampling.LANCZOS)
    frame = [round(edge / shrunk) for edge in (left, top, left + SIDE_PX, top + SIDE_PX)]
    draw = ImageDraw.Draw(image)
    draw.rectangle(tuple(frame), outline='black', width=3)
    draw.rectangle((frame[0] + 1, frame[1] + 1, frame[2] - 1, frame[3] - 1), outline='white', width=1)
    return _png(np.asarray(image))


def _png(pixels: Pixels) -> str:
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, 'PNG', optimize=True)
    return data_uri(written.getvalue(), 'image/png')
