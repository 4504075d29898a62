from typing import Annotated, Literal

from Configuration.FrozenConfiguration import Count, FrozenConfiguration, Range
from Models.TrackerType import TrackerType


class RunSettings(FrozenConfiguration):
    """How long a run is, where, and what it writes.

    All of these leave the steps already taken as they are, and so may differ from those of the checkpoint that a run is
    resumed from; but see `OptimizationSettings.may_change_on_resume`.
    """

    epochs: Count = 100
    """Passes over the training pictures, each repeated `repeat` times. 100: the study's length."""

    validate_every: Count = 1
    """Epochs between validations; the last epoch is always validated."""

    best_after_epoch: Annotated[int, Range(0)] = 0
    """Epochs before `best` may be kept and validations count for `stop_after`. 0: from the first validation on."""

    stop_after: Count | None = None
    """Early stopping: end the run after so many validations in a row that were no better than the best.
    None: train for all `epochs`."""

    save_every: Count | None = None
    """Keep a checkpoint of each n-th epoch besides `last` and `best`. None: keep none."""

    sample_pictures: Annotated[int, Range(0, 64)] = 2
    """Examples shown at each validation; of super-resolution, strips of LR, bicubic, ours and HR."""

    trackers: tuple[TrackerType, ...] = (TrackerType.TensorBoard,)
    """Where the run can be watched, besides its log and `metrics.csv`, which are always written. TensorBoard, which
    only writes files. Empty: nowhere."""

    curves: bool = True
    """Draw `curves.png` into the run's folder at each validation."""

    save_path: str = '.'
    """Folder of the checkpoints and of the run's own folder."""

    resume: bool | Count | str = True
    """True: continue this recipe's `last` checkpoint if there is one. False: refuse to start where there is one.
    A number, 'best' or 'last': continue the checkpoint of that epoch (see `save_every`), or that one. Any other text:
    the path of the file to continue. What reaches further than that checkpoint is never overwritten: see `branch`."""

    branch: str = ''
    """Go on beside the recipe's own run instead of in it: the checkpoint that `resume` names is the parent, and files
    and folder are called `<recipe>-<branch>`. A branch may have other data, losses, batches, scales and validation than
    its parent, from the end of an epoch on. Letters, digits and hyphens. Empty: no branch."""

    device: Annotated[str, 'auto, cpu, cuda or cuda:0'] = 'auto'
    """`auto`: a GPU if there is one, else the CPU. Or a device's name as torch has it."""

    workers: Annotated[int, Range(0, 256)] | None = None
    """Processes that prepare samples; their number changes nothing but the speed.
    None: 4 for a GPU, none for a CPU, whose cores have better to do."""

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

    def check(self) -> None:
        """Refuse a `best` that would never be kept, and trackers named twice."""
        super().check()
        if self.best_after_epoch >= self.epochs:
            raise ValueError(
                f'best_after_epoch must be less than epochs, got {self.best_after_epoch} and {self.epochs}: '
                '`best` would never be kept.'
            )
        if len(set(self.trackers)) < len(self.trackers):
            names = ', '.join(tracker.name for tracker in self.trackers)
            raise ValueError(f'trackers must name each tracker once, got {names}.')
