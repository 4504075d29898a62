"""Every setting of a training run, with its unit, its default and the reason for it."""

import dataclasses
from typing import Annotated, ClassVar, Literal

from Configuration.FrozenConfiguration import Count, Options, Range
from Configuration.ModelConfiguration import ModelConfiguration, Scale
from Models.BenchmarkType import BenchmarkType
from Models.LossType import LossType
from Models.RecipeType import RecipeType
from Models.SamplingType import SamplingType
from Models.ScheduleType import ScheduleType


@dataclasses.dataclass(frozen=True)
class LossTerm:
    """One term of the training loss."""

    loss: LossType
    weight: float = 1.0
    """Factor before the term; at least 0."""

    def __post_init__(self) -> None:
        if not 0 <= self.weight < float('inf'):
            raise ValueError(f'The weight of {self.loss.name} must be a finite number from 0 on, got {self.weight}.')


class TrainingConfiguration(ModelConfiguration):
    """What a training run is. Change a setting by assigning it in a subclass, or by name when building.

    Raises:
        ValueError: for an unknown setting, a wrong type, an impossible value; the message names what is allowed.
    """

    MAY_CHANGE_ON_RESUME: ClassVar[tuple[str, ...]] = (
        'epochs', 'device', 'workers', 'images_in_memory', 'validate_every', 'save_every', 'sample_pictures',
        'tensorboard', 'save_path', 'resume', 'max_image_pixels',
    )  # fmt: skip
    """Settings that leave the steps already taken as they are, and so may differ from those of the checkpoint."""

    # The network

    encoder_options: Options = Options()
    """Arguments of the encoder's class, such as `{'n_resblocks': 32, 'n_feats': 256, 'res_scale': 0.1}`.
    Empty: the published network, for EDSR its baseline."""

    decoder_options: Options = Options()
    """Arguments of the decoder's class. Empty: the published network."""

    recipe: RecipeType | str = ''
    """Name of the recipe in file names. Empty: the class's name without `Train`, so that a recipe of one's own never
    overwrites the weights of the one it derives from."""

    start_from: str | None = None
    """Checkpoint whose weights a new run begins with, such as a converted official one, to be tuned further. Only the
    weights are taken; the network must be the same. None: fresh weights."""

    # The data

    train_data: BenchmarkType | str = BenchmarkType.DIV2K
    """HR pictures to learn from: a folder's path, or a set with training pictures (DIV2K, Photographs).
    DIV2K, as everyone in the field trains on it."""

    valid_data: BenchmarkType | str = BenchmarkType.DIV2K
    """HR pictures to validate on: a folder's path or a set. Whole pictures, scored as in testing."""

    valid_scales: tuple[Scale, ...] = (2, 3, 4)
    """Scales of the validation. `best` has the highest mean PSNR over them."""

    valid_examples: Count | None = 10
    """How many pictures are validated on, the first by name; None: all. Ten, as LIIF validates."""

    queries: Count | None = None
    """HR pixels asked for per sample. None: `input_patch` squared, as LIIF trains."""

    sampling: SamplingType = SamplingType.Scattered
    """Which HR pixels are asked for."""

    augment: bool = True
    """Random flips and transpositions."""

    repeat: Count = 40
    """How often each picture is cropped per epoch. 40: the study's 1000 steps per epoch on DIV2K."""

    on_bad_image: Literal['refuse', 'skip'] = 'refuse'
    """What to do about unreadable or too small training pictures: list them and stop, or train on the rest."""

    images_in_memory: bool = True
    """Decode each picture once and keep its bytes (DIV2K: 6.6 GB). False: decode for each crop, many times slower,
    for folders larger than the memory."""

    max_image_pixels: Annotated[int, Range(1, 178_000_000)] = 100_000_000
    """Pictures with more pixels are refused unread: a small file can claim to be huge. At most Pillow's own limit."""

    # The optimization

    losses: tuple[LossTerm, ...] = (LossTerm(LossType.PixelL1),)
    """Terms of the loss, added up."""

    epochs: Count = 100
    """Passes over the training pictures, each repeated `repeat` times. 100: the study's length."""

    batch_size: Count = 32
    """Samples per step. 32: the study's."""

    learning_rate: Annotated[float, Range(1e-12, 10)] = 4e-4
    """Adam's initial step size. 4e-4: the study's."""

    schedule: ScheduleType = ScheduleType.MultiStep
    """How the learning rate changes."""

    milestones: tuple[Count, ...] = (20, 40, 60, 80)
    """Epochs after which the rate is multiplied by `gamma`. The study's."""

    gamma: Annotated[float, Range(0, 1)] = 0.5
    """Factor on the learning rate at each milestone."""

    seed: Annotated[int, Range(0, 2**63 - 1)] = 0
    """Seed of the initial weights, the order and the samples."""

    # The machine

    device: Annotated[str, 'auto, cpu, cuda or cuda:0'] = 'auto'
    """`auto`: a GPU if there is one, else the CPU. Or a device's name as torch has it."""

    workers: Annotated[int, Range(0, 256)] | None = None
    """Processes that prepare samples; their number changes nothing but the speed.
    None: 4 for a GPU, none for a CPU, whose cores have better to do."""

    # What is written

    save_path: str = '.'
    """Folder of the checkpoints and of the run's own folder."""

    resume: bool | str = True
    """True: continue this recipe's `last` checkpoint if there is one. False: refuse to start where there is one.
    A path: continue that file, or fail."""

    validate_every: Count = 1
    """Epochs between validations; the last epoch is always validated."""

    save_every: Count | None = None
    """Keep a checkpoint of each n-th epoch besides `last` and `best`. None: keep none."""

    sample_pictures: Annotated[int, Range(0, 64)] = 2
    """Pictures shown at each validation as strips of LR, bicubic, ours and HR."""

    tensorboard: bool = True
    """Write TensorBoard events into the run's folder."""

    def __post_init__(self) -> None:
        if self.recipe == '':
            object.__setattr__(self, 'recipe', type(self).__name__.removeprefix('Train') or type(self).__name__)
        super().__post_init__()

    def __init_subclass__(cls) -> None:
        # Each class is a recipe of its own, also when its parent has named itself.
        if 'recipe' not in vars(cls):
            cls.recipe = ''
        super().__init_subclass__()

    def check(self) -> None:
        """Refuse settings that contradict each other."""
        super().check()
        if not self.valid_scales:
            raise ValueError('valid_scales must name at least one scale, got none.')
        if not self.losses or not any(term.weight for term in self.losses):
            raise ValueError(f'losses must hold at least one term with a weight above 0, got {self.losses}.')
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError(f'milestones must rise, got {self.milestones}.')
        hr_pixels = (self.input_patch * self.scale_range[0]) ** 2
        if self.queries is not None and self.queries > hr_pixels:
            raise ValueError(
                f'queries must be at most {int(hr_pixels)}, the HR pixels of a patch of {self.input_patch} '
                f'at scale {self.scale_range[0]:g}, got {self.queries}.'
            )
        for name in ('train_data', 'valid_data'):
            if getattr(self, name) is BenchmarkType.BENCHMARK:
                raise ValueError(f"{name} must be a folder's path instead of BenchmarkType.BENCHMARK.")
