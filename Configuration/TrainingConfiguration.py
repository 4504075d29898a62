"""Every setting of a training run, with its unit, its default and the reason for it."""

import dataclasses
import math
from typing import Annotated, ClassVar, Literal

from Configuration.FrozenConfiguration import Count, Options, Range
from Configuration.ModelConfiguration import ModelConfiguration, Scale
from Configuration.optimizers import Adam, Optimizer
from Configuration.schedules import MultiStep, Schedule, check_schedule
from Models.BenchmarkType import BenchmarkType
from Models.LossType import LossType
from Models.QualityType import QualityType
from Models.RecipeType import RecipeType
from Models.SamplingType import SamplingType
from Models.TrackerType import TrackerType


@dataclasses.dataclass(frozen=True)
class LossTerm:
    """One term of the training loss."""

    loss: LossType
    weight: float = 1.0
    """Factor before the term; at least 0."""

    options: Options = Options()
    """Arguments of the loss's class, such as `{'layers': ('relu3_1',)}` for `GramVGG`. Empty: its defaults."""

    def __post_init__(self) -> None:
        if isinstance(self.options, dict):
            object.__setattr__(self, 'options', Options(self.options))
        if not isinstance(self.options, Options):
            raise ValueError(f'options of the loss {self.loss.name} must be a dictionary, got {self.options!r}.')
        if not 0 <= self.weight < float('inf'):
            raise ValueError(f'The weight of {self.loss.name} must be a finite number from 0 on, got {self.weight}.')

    def __str__(self) -> str:
        return self.loss.name if self.weight == 1 else f'{self.weight:g} x {self.loss.name}'


class TrainingConfiguration(ModelConfiguration):
    """What a training run is. Change a setting by assigning it in a subclass, or by name when building.

    Raises:
        ValueError: for an unknown setting, a wrong type, an impossible value; the message names what is allowed.
    """

    MAY_CHANGE_ON_RESUME: ClassVar[tuple[str, ...]] = (
        'epochs', 'device', 'workers', 'cache', 'cache_folder', 'cache_limit_gib', 'validate_every', 'save_every',
        'sample_pictures', 'trackers', 'curves', 'stop_after', 'save_path', 'resume', 'max_image_pixels',
    )  # fmt: skip
    """Settings that leave the steps already taken as they are, and so may differ from those of the checkpoint; but see
    `may_change_on_resume`."""

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

    train_data: BenchmarkType | str | tuple[BenchmarkType | str, ...] = BenchmarkType.DIV2K
    """HR pictures to learn from: a folder's path, or a set with training pictures (DIV2K, Photographs), or several of
    them. DIV2K, as everyone in the field trains on it."""

    train_lr_data: BenchmarkType | str | tuple[BenchmarkType | str, ...] | None = None
    """LR pictures to learn from, for each entry of `train_data` a folder's path with `{scale}` in it, such as
    `'mine/LR/X{scale}'`, or DIV2K for its official ones. They pair by name (`0001x2.png` or `0001.png`), and the scale
    of a sample is one of the whole ones within `scale_range` for which there are folders. None: each crop is reduced by
    Pillow's bicubic at a scale of its own, as LIIF trains."""

    first_k: Count | None = None
    """How many training pictures are used, the first of the list: in the order of `train_data`, within each by name.
    None: all."""

    valid_data: BenchmarkType | str = BenchmarkType.DIV2K
    """HR pictures to validate on: a folder's path or a set. Whole pictures, scored as in testing."""

    valid_scales: tuple[Scale, ...] = (2, 3, 4)
    """Scales of the validation. `best` has the best mean over them."""

    valid_examples: Count | None = 10
    """How many pictures are validated on, the first by name; None: all. Ten, as LIIF validates."""

    queries: Count | None = None
    """HR pixels asked for per sample. None: `input_patch` squared, as LIIF trains. A square number for
    `SamplingType.Window`; None for `SamplingType.Crop`, which asks for all."""

    sampling: SamplingType = SamplingType.Scattered
    """Which HR pixels are asked for. Scattered, as LIIF trains; losses that compare neighbors need another one."""

    augment: bool = True
    """Random flips and transpositions."""

    repeat: Count = 40
    """How often each picture is cropped per epoch. 40: the study's 1000 steps per epoch on DIV2K."""

    on_bad_image: Literal['refuse', 'skip'] = 'refuse'
    """What to do about unreadable or too small training pictures: list them and stop, or train on the rest."""

    cache: Literal['memory', 'disk', 'none'] = 'memory'
    """Where the decoded training pictures are kept. `memory`: each start decodes them (DIV2K: minutes, 6.6 GB).
    `disk`: in `cache_folder`, decoded once for all runs and shared by processes; as fast as long as the system has
    memory to spare. `none`: decoded for each crop, a hundred times slower. Memory, as it needs nothing else and writes
    nothing outside of the run."""

    cache_folder: str | None = None
    """For `cache = 'disk'`: the folder. None: `assr` in $XDG_CACHE_HOME, or in `~/.cache`. It may be deleted between
    runs."""

    cache_limit_gib: Annotated[float, Range(0.001, 1e6)] = 32
    """For `cache = 'disk'`: GiB that the folder may take; pictures that were not used for longest make room. 32: DIV2K
    and Flickr2K together take 26."""

    max_image_pixels: Annotated[int, Range(1, 178_000_000)] = 100_000_000
    """Pictures with more pixels are refused unread: a small file can claim to be huge. At most Pillow's own limit."""

    # The optimization

    losses: tuple[LossTerm, ...] | None = None
    """Terms of the loss, added up. `LossType.Own`, for decoders that have one, is a term like any other.
    None: those that the decoder was published with, which is L1 for all but LINF, which has its likelihood."""

    epochs: Count = 100
    """Passes over the training pictures, each repeated `repeat` times. 100: the study's length."""

    batch_size: Count = 32
    """Samples per step. 32: the study's."""

    learning_rate: Annotated[float, Range(1e-12, 10)] = 4e-4
    """The optimizer's step size, before the schedule changes it. 4e-4: the study's."""

    optimizer: Optimizer = Adam()
    """What makes an update of the gradients. Adam with its defaults, as LIIF and the study train."""

    schedule: Schedule = MultiStep((20, 40, 60, 80))
    """How the learning rate changes. After epochs 20, 40, 60 and 80 it is halved: the study's."""

    accumulate: Count = 1
    """Batches whose gradients make one update: as `batch_size` times as large, in the memory of one batch. Each sample
    counts the same; the last update of an epoch takes what is left. Schedules that go on per batch then go on per
    update. 1: each batch is an update, as all protocols here have it."""

    clip_gradient: Annotated[float, Range(1e-6, 1e6)] | None = None
    """Largest norm of the gradient of all weights together; a longer one is shortened to it. None: never, as LIIF and
    the study train."""

    ema_decay: Annotated[float, Range(0.5, 0.999999)] | None = None
    """Validate, save and use a moving average of the weights, buffers included, that keeps this share of itself at each
    update, such as 0.999; the weights that learn are saved beside it. It begins as the initial weights, which 3000
    updates at 0.999 bring down to 5 %. None: the weights themselves, as LIIF and the study train."""

    seed: Annotated[int, Range(0, 2**63 - 1)] = 0
    """Seed of the initial weights, the order and the samples."""

    # The computation. All of it changes the numbers, so none may differ from a checkpoint's.

    precision: Literal['float32', 'bfloat16', 'float16'] = 'float32'
    """What encoder and decoder compute their convolutions and products in while training. Weights, coordinates, the
    loss, the update and validation are float32 always. float16 scales the loss so that small gradients do not vanish,
    and skips updates whose gradients overflow, with a warning. float32, as the protocols here were published."""

    tf32: bool = True
    """Let a GPU from Ampere on round the factors of float32 products to 10 bits while training; validation is exact.
    It has no effect on a CPU. True: much faster there, and torch itself has it so for convolutions."""

    channels_last: bool = True
    """Keep the encoder's weights and images with the channels side by side in memory. Which is faster depends on the
    machine: on a CPU (EDSR-LIIF) it saved 5 % in float32 and 18 % in bfloat16; on a GPU it has not been measured."""

    compile: bool = False
    """Compile the network by `torch.compile` for training, which needs a C++ compiler, on a GPU Triton too. The first
    batches take minutes; whether the others are faster depends on the machine (on a CPU EDSR-LIIF was 39 % slower). A
    resumed run may then differ in the last bits, as compiled code depends on the shapes seen before. False: try it
    first."""

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

    best_by: QualityType = QualityType.PSNR
    """The metric whose mean over `valid_scales` decides what `best` is, when to stop early and what
    the schedule `ReduceOnPlateau` looks at. PSNR, as the field has it."""

    best_after_epoch: Annotated[int, Range(0)] = 0
    """Epochs before `best` may be kept and validations count for `stop_after`. 0: from the first validation on."""

    stop_after: Count | None = None
    """Early stopping: end the run after so many validations in a row that were no better than the best.
    None: train for all `epochs`."""

    save_every: Count | None = None
    """Keep a checkpoint of each n-th epoch besides `last` and `best`. None: keep none."""

    sample_pictures: Annotated[int, Range(0, 64)] = 2
    """Pictures shown at each validation as strips of LR, bicubic, ours and HR."""

    trackers: tuple[TrackerType, ...] = (TrackerType.TensorBoard,)
    """Where the run can be watched, besides its log and `metrics.csv`, which are always written. TensorBoard, which
    only writes files. Empty: nowhere."""

    curves: bool = True
    """Draw `curves.png` into the run's folder at each validation."""

    def __post_init__(self) -> None:
        if self.recipe == '':
            object.__setattr__(self, 'recipe', type(self).__name__.removeprefix('Train') or type(self).__name__)
        super().__post_init__()

    def __init_subclass__(cls) -> None:
        # Each class is a recipe of its own, also when its parent has named itself.
        if 'recipe' not in vars(cls):
            cls.recipe = ''
        super().__init_subclass__()

    @property
    def train_entries(self) -> tuple[BenchmarkType | str, ...]:
        """`train_data`, also of one entry, as a tuple."""
        return self.train_data if isinstance(self.train_data, tuple) else (self.train_data,)

    @property
    def train_lr_entries(self) -> tuple[BenchmarkType | str, ...] | None:
        """`train_lr_data` likewise; None if there are no pairs."""
        entries = self.train_lr_data
        return entries if entries is None or isinstance(entries, tuple) else (entries,)

    @property
    def may_change_on_resume(self) -> tuple[str, ...]:
        """`MAY_CHANGE_ON_RESUME` without the settings that this recipe's learning rates depend on."""
        return tuple(name for name in self.MAY_CHANGE_ON_RESUME if name not in self.schedule.decisive)

    def check(self) -> None:
        """Refuse settings that contradict each other."""
        super().check()
        if not self.valid_scales:
            raise ValueError('valid_scales must name at least one scale, got none.')
        if self.losses is not None and not any(term.weight for term in self.losses):
            raise ValueError(f'losses must hold at least one term with a weight above 0, got {self.losses}.')
        for name, entries in (('train_data', self.train_entries), ('valid_data', (self.valid_data,))):
            if BenchmarkType.BENCHMARK in entries:
                raise ValueError(f"{name} must be a folder's path instead of BenchmarkType.BENCHMARK.")
        self._check_training_data()
        self._check_sampling()
        check_schedule(self.schedule, epochs=self.epochs, learning_rate=self.learning_rate)
        if self.best_after_epoch >= self.epochs:
            raise ValueError(
                f'best_after_epoch must be less than epochs, got {self.best_after_epoch} and {self.epochs}: '
                '`best` would never be kept.'
            )
        if len(set(self.trackers)) < len(self.trackers):
            names = ', '.join(tracker.name for tracker in self.trackers)
            raise ValueError(f'trackers must name each tracker once, got {names}.')

    def _check_training_data(self) -> None:
        if not self.train_entries:
            raise ValueError('train_data must name at least one folder or set, got none.')
        entries = self.train_lr_entries
        if entries is None:
            return
        if len(entries) != len(self.train_entries):
            raise ValueError(
                f'train_lr_data must have one entry for each of train_data, got {len(entries)} and '
                f'{len(self.train_entries)}.'
            )
        if self.scale_range[0] < self.scale_range[1]:
            for entry in entries:
                if isinstance(entry, str) and '{scale}' not in entry:
                    raise ValueError(
                        f"train_lr_data must hold {{scale}} where the folders' names have the scale, such as "
                        f"'LR/X{{scale}}', got {entry!r}."
                    )

    def _check_sampling(self) -> None:
        if self.queries is None:
            return
        hr_pixels = round(self.input_patch * self.scale_range[0]) ** 2
        if self.queries > hr_pixels:
            raise ValueError(
                f'queries must be at most {hr_pixels}, the HR pixels of a patch of {self.input_patch} '
                f'at scale {self.scale_range[0]:g}, got {self.queries}.'
            )
        if self.sampling is SamplingType.Crop:
            raise ValueError(
                f'queries has no effect with SamplingType.Crop, which asks for every pixel: leave it None, '
                f'got {self.queries}.'
            )
        side = math.isqrt(self.queries)
        if self.sampling is SamplingType.Window and side**2 != self.queries:
            raise ValueError(
                f'queries must be a square number for SamplingType.Window, such as {side**2} or {(side + 1) ** 2}, '
                f'got {self.queries}.'
            )
