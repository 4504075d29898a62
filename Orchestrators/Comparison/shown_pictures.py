"""Finding the pictures behind scores: saved ones, or made again from the checkpoints."""

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from Datasets.BenchmarkImages import BenchmarkImages, TestPair
from Datasets.benchmarks import hr_files
from Models.BenchmarkType import BenchmarkType
from Models.Quality.PSNR import PSNR
from Orchestrators.Comparison.scores import Scores, Test
from Orchestrators.Evaluation.result_rows import BICUBIC, PictureRow
from Orchestrators.Evaluation.scoring import ScoreColor, in_color, shave
from Orchestrators.Prediction.strategies import bicubic
from Orchestrators.Prediction.trained_model import TrainedModel, load_trained_model
from Utilities.images import Pixels, read_image, to_pixels, to_tensor

_LOGGER = logging.getLogger(__name__)

# Pictures are saved in 8 bits, and tiles may differ from the whole; another picture differs by far more.
_TOLERANCE_DB = 0.2


class PictureUnavailableError(RuntimeError):
    """A picture that can't be shown; the message says why and how to get it."""


@dataclasses.dataclass(frozen=True)
class ShownPicture:
    """A picture in every form."""

    lr: Pixels
    hr: Pixels
    sr: Mapping[str, Pixels]
    """By model, bicubic interpolation first."""

    rows: Mapping[str, PictureRow]
    """The scores of these very pictures, by model."""

    runs: Mapping[str, str]
    """The run of a model that made it, such as `seed 0`; by model."""


class ShownPictures:
    """Pictures of every model, by test and name.

    Each is scored again and refused if its PSNR is not the table's, so that no picture is shown for another.

    Args:
        scores: whose pictures.
        checkpoints: folders below which checkpoints are looked for, where pictures were not saved.
        pictures: folder of the HR pictures of `BenchmarkType.BENCHMARK`.
    """

    def __init__(self, scores: Scores, checkpoints: Sequence[Path] = (), pictures: Path | None = None) -> None:
        self._scores = scores
        self._checkpoints = checkpoints
        self._pictures = pictures
        self._models: dict[str, TrainedModel] = {}

    def get(self, test: Test, name: str) -> ShownPicture:
        """The picture of a name, in every form.

        Raises:
            PictureUnavailableError: if its files are missing, or not those that were scored.
        """
        models = {model: next(iter(runs.items())) for model, runs in self._scores.tests[test].items()}
        rows = {model: pictures[name] for model, (_, pictures) in models.items()}
        order = sorted(rows, key=lambda model: (model != BICUBIC, list(self._scores.runs).index(model)))
        pair = self._pair(test, name, rows[order[0]].text('lr'))
        sr = {model: self._picture(rows[model], test, pair) for model in order}
        return ShownPicture(
            to_pixels(pair.lr[0]),
            to_pixels(pair.hr[0]),
            sr,
            {model: rows[model] for model in order},
            {model: models[model][0].name for model in order},
        )

    def _pair(self, test: Test, name: str, lr_source: str) -> TestPair:
        horizontal, vertical = test.axis_scales
        if horizontal != vertical:
            raise PictureUnavailableError(f'{test.title}: crops are shown where both axes have the same scale.')
        try:
            benchmark = BenchmarkType[test.benchmark]
            own = self._pictures if benchmark is BenchmarkType.BENCHMARK else None
            if benchmark is BenchmarkType.BENCHMARK and own is None:
                raise PictureUnavailableError('BENCHMARK: name the folder of its HR pictures with --pictures.')
            files = [file for file in hr_files(benchmark, own) if file.stem == name]
            images = BenchmarkImages.of_protocol(benchmark, files, horizontal)
            pair = images[0]
        except (KeyError, IndexError, ValueError, OSError) as error:
            raise PictureUnavailableError(f'{test.benchmark}: {error}') from error
        if images.lr_source != lr_source:
            raise PictureUnavailableError(
                f'{test.title}: the LR pictures are {images.lr_source!r} here, but were {lr_source!r} in the test.'
            )
        return pair

    def _picture(self, row: PictureRow, test: Test, pair: TestPair) -> Pixels:
        if row.method == BICUBIC:
            return to_pixels(bicubic(pair.lr, (pair.hr.shape[2], pair.hr.shape[3])).image[0])
        saved = (row.file or Path()).parent / row.pictures_folder / f'{pair.name}.png'
        if saved.is_file() and _is_the_scored_one(to_tensor(read_image(saved).pixels)[None], row, pair):
            return read_image(saved).pixels
        model = self._model(row)
        if model is None:
            raise PictureUnavailableError(
                f'{row.method} {row.recipe}, {test.title}: there is no saved picture of these scores. '
                'Test with save_pictures=True, or name the folder of the checkpoints with --checkpoints.'
            )
        sr = model.network.upscale(pair.lr, (pair.hr.shape[2], pair.hr.shape[3]))
        if not _is_the_scored_one(sr, row, pair):
            raise PictureUnavailableError(
                f'{row.method} {row.recipe}, {test.title}: made again from its checkpoint, {pair.name} '
                'has another PSNR than in the table. It was tested in another way, or on other files.'
            )
        return to_pixels(sr[0])

    def _model(self, row: PictureRow) -> TrainedModel | None:
        """The checkpoint of a row, found by name and told by the hash of its weights."""
        sha = row.text('checkpoint_sha256')
        if sha not in self._models:
            for path in self._checkpoint_files.get(row.text('checkpoint'), ()):
                model = load_trained_model(path, torch.device('cpu'))
                if model.sha256.startswith(sha):
                    self._models[sha] = model
                    break
        return self._models.get(sha)

    @cached_property
    def _checkpoint_files(self) -> dict[str, list[Path]]:
        files: dict[str, list[Path]] = {}
        for path in (path for folder in self._checkpoints for path in sorted(folder.rglob('*.pth'))):
            files.setdefault(path.name, []).append(path)
        return files


def _is_the_scored_one(sr: Float[Tensor, '1 3 height width'], row: PictureRow, pair: TestPair) -> bool:
    expected, border = row.number('PSNR'), row.border_px
    if sr.shape != pair.hr.shape:
        return False
    if expected is None or border is None:
        _LOGGER.warning('%s has no PSNR or border, so whether the picture is the scored one was not checked.', row.file)
        return True
    color: ScoreColor = 'Y' if row.color == 'Y' else 'RGB'
    image, reference = (in_color(shave(picture, border), color) for picture in (sr, pair.hr))
    return abs(float(PSNR()(image, reference)) - expected) <= _TOLERANCE_DB
