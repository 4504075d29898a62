"""Training of super-resolution by true colors: crops at random scales, losses, validation on whole pictures."""

import logging
from collections.abc import Callable

import torch

from Configuration.TrainingConfiguration import LossTerm, TrainingConfiguration
from Datasets.TrainingCrops import TrainingCrops
from Losses.Loss import Loss
from Losses.WeightedSum import WeightedSum
from Models.BenchmarkType import BenchmarkType
from Models.build import build_super_resolver
from Models.LossType import LossType
from Models.Quality.QualityModel import QualityModel
from Models.SamplingType import SamplingType
from Models.SuperResolver import SuperResolver
from Orchestrators.Pipelines.Pipeline import Identity, Pipeline
from Orchestrators.Prediction.file_names import run_folder
from Orchestrators.Steps.Learner import build_learner
from Orchestrators.Steps.ReconstructionStep import ReconstructionStep
from Orchestrators.Training.curves import Curve, Panel
from Orchestrators.Training.Run import Run
from Orchestrators.Training.training_pictures import PicturesRead, read_pictures
from Orchestrators.Training.Validated import Metric, Validated
from Orchestrators.Training.Validation import Validation, scalar_name
from Utilities.distributed import ALONE, Ranks
from Utilities.find_class import check_options, find_class

_LOGGER = logging.getLogger(__name__)


class SuperResolution(Pipeline):
    """An encoder and a decoder, trained on crops of pictures.

    Args:
        recipe: which ones, how, on what.
        run: where it happens.
    """

    step: ReconstructionStep

    def __init__(self, recipe: TrainingConfiguration, run: Run) -> None:
        self._recipe = recipe
        self._run = run
        self.step = build_step(recipe, run.device, run.ranks)
        metric: type[QualityModel] = find_class(recipe.best_by, 'Models.Quality')
        self.metrics = (Metric(recipe.best_by.name, metric.unit, metric.decimals, metric.higher_is_better),)

    @staticmethod
    def file_stem(recipe: TrainingConfiguration) -> str:
        return run_folder(recipe, '.').name

    @staticmethod
    def title(recipe: TrainingConfiguration) -> str:
        return f'{recipe.recipe_name}: {recipe.encoder.name} with {recipe.decoder.name}'

    @property
    def network(self) -> SuperResolver:
        """The one in use."""
        network = self.step.used
        assert isinstance(network, SuperResolver)
        return network

    def samples(self, after_each: Callable[[], None]) -> TrainingCrops:
        recipe = self._recipe
        with self._run.ranks.together():
            self._refuse_unreachable_scales()
            self._validation = Validation(
                recipe.valid_data,
                recipe.valid_scales,
                recipe.valid_examples,
                recipe.sample_pictures,
                recipe.best_by,
                self._run,
                recipe.max_image_pixels,
            )
        self._images, self._identity = self._read_images(after_each)
        return TrainingCrops(
            self._images,
            input_patch=recipe.input_patch,
            scale_range=recipe.scale_range,
            queries=recipe.queries or recipe.input_patch**2,
            sampling=recipe.sampling,
            augment=recipe.augment,
            repeat=recipe.repeat,
            seed=recipe.seed,
        )

    def identity(self) -> Identity:
        return self._identity

    def describe(self) -> str:
        recipe, images = self._recipe, self._images
        scales = ', '.join(f'x{scale:g}' for scale in recipe.valid_scales)
        lines = [
            f'{self.step.learner.size:,} parameters. Training on {len(images)} pictures, '
            f'{len(images) * recipe.repeat} samples per epoch in batches of {recipe.batch_size}; validating on '
            f'{self._validation.pictures} at {scales}.'
        ]
        if images.pair_scales:
            lines.append(f'LR files at {", ".join(f"x{scale}" for scale in images.pair_scales)}.')
        if recipe.train_data is BenchmarkType.Photographs:
            names = ', '.join(file.name for file in images.files)
            lines.append(
                f'The training pictures are the embedded photographs ({names}): enough to see that everything works, '
                'too few for science.'
            )
        return '\n'.join(lines)

    def validate(self, epoch: int, samples_seen: int, should_stop: Callable[[], bool]) -> Validated:
        result = self._validation.validate(self.network, epoch, samples_seen, should_stop)
        return Validated((result.mean(self._recipe.best_by),), result.scalars(), str(result))

    def panels(self, best_epoch: int | None) -> list[Panel]:
        recipe = self._recipe
        terms = [term for term in loss_terms(recipe, self.network) if term.weight]
        losses = [Curve('train/loss', 'loss')]
        if len(terms) > 1:
            # As parts of the sum; the table has them before their weights.
            losses += [Curve(f'train/{term.loss.name}', str(term), term.weight) for term in terms]
        scales = [Curve(scalar_name(recipe.best_by, scale), f'x{scale:g}') for scale in recipe.valid_scales]
        unit = f' ({self.metrics[0].unit})' if self.metrics[0].unit else ''
        return [
            Panel('Training loss, mean over the epoch', losses),
            Panel(f'Validation, {recipe.best_by.name}{unit}', scales, best_epoch=best_epoch),
        ]

    def _refuse_unreachable_scales(self) -> None:
        recipe = self._recipe
        for setting in ('scale_range', 'valid_scales'):
            for scale in getattr(recipe, setting):
                side = round(recipe.input_patch * scale)
                try:
                    self.network.check_size((recipe.input_patch, recipe.input_patch), (side, side))
                except ValueError as error:
                    raise ValueError(f'{setting} = {getattr(recipe, setting)}: {error}') from error

    def _read_images(self, after_each: Callable[[], None]) -> PicturesRead:
        ranks = self._run.ranks
        read: PicturesRead | None = None
        # A cache on the disk is filled by one, for all.
        for turn in ('first', 'others') if self._recipe.cache == 'disk' else ('all',):
            with ranks.together():
                if turn == 'all' or ranks.is_first == (turn == 'first'):
                    read = read_pictures(self._recipe, self._validation, after_each)
        assert read is not None
        with ranks.together():
            names = ranks.gather(read.identity)
            if any(other != names[0] for other in names):
                counts = ', '.join(str(len(found['training pictures'])) for found in names)
                raise ValueError(
                    'The training pictures must be the same, by number, name and content, for all processes, which '
                    f'found {counts}. Copy them to every machine.'
                )
        return read


def build_step(recipe: TrainingConfiguration, device: torch.device, ranks: Ranks = ALONE) -> ReconstructionStep:
    """A network with weights from the recipe's seed, and all that trains it, in this process and in others.

    Raises:
        ValueError: for options that a network or a loss does not take, a loss that the sampling can't serve, be it the
            recipe's or the decoder's own, or `compile` where nothing can be compiled.
    """
    torch.manual_seed(recipe.seed)
    # Built on the CPU, so that one seed gives one set of weights on every machine.
    network = build_super_resolver(recipe.encoder, recipe.decoder, recipe.encoder_options, recipe.decoder_options).to(
        device
    )
    learner = build_learner(network, recipe, ranks)
    objective = build_objective(loss_terms(recipe, network), recipe.sampling).to(device)
    if objective.needs_own:
        _refuse_patches(network)
    return ReconstructionStep(learner, objective, recipe.sampling, ranks)


def loss_terms(recipe: TrainingConfiguration, network: SuperResolver) -> tuple[LossTerm, ...]:
    """The recipe's losses, or where it names none those that the decoder was published with."""
    if recipe.losses is not None:
        return recipe.losses
    return tuple(LossTerm(LossType[name], weight) for name, weight in network.decoder.published_losses)


def build_objective(terms: tuple[LossTerm, ...], sampling: SamplingType) -> WeightedSum:
    """The weighted sum of losses.

    Raises:
        ValueError: for an option that a loss does not take, or a loss that the sampling can't serve.
    """
    found: dict[LossType, type[Loss]] = {term.loss: find_class(term.loss, 'Losses') for term in terms}
    # Before they are built, as some need large files for it.
    needy = [kind.name for kind, loss in found.items() if loss.needs_neighbors]
    if needy and sampling is SamplingType.Scattered:
        raise ValueError(
            f'{", ".join(needy)} compares neighboring pixels, which sampling = SamplingType.Scattered does not give. '
            'Set sampling = SamplingType.Window, or SamplingType.Crop.'
        )
    for term in terms:
        check_options(found[term.loss], term.options, 'losses')
    _LOGGER.info(f'The loss is {" + ".join(map(str, terms))}.')
    return WeightedSum([(term.loss.name, found[term.loss](**term.options), term.weight) for term in terms])


def _refuse_patches(network: SuperResolver) -> None:
    patch_size = network.decoder.facts.patch_size
    if patch_size > 1:
        raise ValueError(
            f'decoder_options: {type(network.decoder).__name__} with patch_size = {patch_size} learns from patches of '
            f'{patch_size}x{patch_size} pixels, which no sampling gives. Train with patch_size = 1; with patches, only '
            'published weights can be used.'
        )
