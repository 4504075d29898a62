"""What is tested, and how. The field names are documented and stay as they are."""

from typing import Annotated, Literal

from Configuration.FrozenConfiguration import Count, Range
from Configuration.protocols import LIIF, PUBLISHED, Protocol, refuse_same_name
from Configuration.settings.NetworkSettings import ModelConfiguration, Scale
from Models.BenchmarkType import BenchmarkType
from Models.QualityType import QualityType
from Models.SavedModelType import SavedModelType
from Models.TestingStrategy import TestingStrategy


class BaseTestingConfiguration(ModelConfiguration):
    """Which checkpoint is tested, on what, and how.

    The inherited fields `encoder`, `decoder`, `recipe`, `input_patch` and `scale_range` are those it was trained with;
    with `model_name` they name the checkpoint's file.

    Raises:
        ValueError: for an unknown setting, a wrong type, an impossible value; the message names what is allowed.
    """

    model_name: SavedModelType | Count = SavedModelType.Best
    """`Best`, `Last`, or the number of an epoch that was kept."""

    benchmark: BenchmarkType = BenchmarkType.Photographs
    """What to test on when `test` is called without naming benchmarks."""

    protocol: Protocol = LIIF
    """What is compared with what: one of `Configuration/protocols.py`, or your own."""

    eval_scale: Scale | tuple[Scale | tuple[Scale, Scale], ...] | None = None
    """Scale or scales to test. One that is a pair is (horizontal, vertical): `((2, 3.5),)` is one scale, written 2x3.5,
    and `(2, 3.5)` are two. LR is floor(HR / scale) per axis, and HR is cropped to round(scale * LR). None: the
    benchmark's own scales."""

    eval_size: tuple[Count, Count] | None = None
    """(width, height) that every picture is upscaled to, in pixels. HR is cropped to it, keeping the upper left, and LR
    is round(size / scale) per axis. With `valid_data_pathScale`, HR must have this size, and the scale is what takes LR
    there. None: what the scale makes."""

    valid_data_path: str | None = None
    """Folder of the HR pictures of `BenchmarkType.BENCHMARK`, or a pattern such as `mine/*_HR.png`; refused where that
    set is not tested. The others are found under `./datasets` or the folder that ASSR_DATASETS names."""

    valid_data_pathScale: str | None = None  # noqa: N815  documented under this name
    """Folder of the LR pictures that belong to `valid_data_path`; `{scale}` in it stands for the scale.
    None: the LR pictures are made by bicubic reduction."""

    total_example: Count | None = None
    """How many pictures are tested, the first by name. None: all."""

    max_image_pixels: Count = 100_000_000
    """A picture with more pixels is refused by its header, before it takes memory."""

    eval_batch_size: Count | None = None
    """Coordinates queried at a time. None: chosen for the device. It changes memory and speed, not the result."""

    test_strategy: TestingStrategy = TestingStrategy.Simple
    """How a picture goes through the network."""

    breakdown_patch_size: Count | None = None
    """Side of a tile in LR pixels; needed by strategies that cut the picture into tiles."""

    overlap: Annotated[int, Range(0)] | None = None
    """LR pixels that a tile sees to each side of itself; for `OverlappingPatched`, smaller than `breakdown_patch_size`.
    None: the network's receptive field, with which tiles equal the whole; half a tile if it has no limit."""

    max_memory: Count | None = None
    """MiB that a picture may be made in, for `Simple`: one that needs more is cut into tiles, which are planned before
    the run; if the network's receptive field has no limit they are approximate, and called so. On a CPU it is all that
    the process takes, program, network, pictures and result included; on a GPU what torch takes there, network included
    (pictures and result are then in the computer's memory). Metrics are not included. None: the whole at once."""

    self_ensemble: Literal[1, 4, 8] | None = None
    """Views of each picture whose predictions are averaged, with any strategy: 1 is the picture alone, 4 its rotations,
    8 these and their mirror images. It takes that many times as long. None: as the protocol says."""

    metrics: tuple[QualityType, ...] = (QualityType.PSNR, QualityType.SSIM, QualityType.LPIPS)
    """Metrics. One that does not apply or can't be had is left out with its reason."""

    measure_cost: bool = False
    """Also measure parameters, multiply-adds, latency and peak memory at each scale. Off, as it takes eight more
    pictures per scale, and means something only on a machine that does nothing else."""

    cost_lr_side: Count = 128
    """Side in pixels of the square LR picture that `measure_cost` upscales whole, whatever the benchmark and strategy.
    128 is small enough for a CPU at x4; tables compare only at equal sides."""

    save_pictures: bool = False
    """Write the super-resolved pictures as PNG."""

    model_path: str = '.'
    """Folder of the checkpoints."""

    result_path: str = './results'
    """Folder of the tables and pictures."""

    device: str = 'auto'
    """`auto`: a GPU if there is one, else the CPU. Or a device's name as torch has it."""

    def check(self) -> None:
        """Refuse settings that contradict each other."""
        super().check()
        self._check_tiles()
        self._check_scales()
        refuse_same_name(self.protocol, PUBLISHED.get(self.protocol.name))
        for setting in ('valid_data_path', 'valid_data_pathScale'):
            if getattr(self, setting) == '':
                raise ValueError(f"{setting} must name a folder, got ''; the current one is '.', and None is none.")
        if isinstance(self.self_ensemble, bool):
            raise ValueError(f'self_ensemble must be 1, 4, 8 or None, got {self.self_ensemble}; 8 is the usual one.')
        if self.benchmark is BenchmarkType.BENCHMARK and self.valid_data_path is None:
            raise ValueError('valid_data_path must name a folder of HR pictures for BenchmarkType.BENCHMARK, got None.')

    def _check_scales(self) -> None:
        if self.eval_size is None or self.valid_data_pathScale is None:
            return
        if self.eval_scale is not None or '{scale}' in self.valid_data_pathScale:
            raise ValueError(
                'eval_size takes the scale from the pictures of valid_data_pathScale: leave eval_scale None and name a '
                f'folder without {{scale}}, got {self.eval_scale} and {self.valid_data_pathScale!r}.'
            )

    def _check_tiles(self) -> None:
        if self.test_strategy is not TestingStrategy.Simple:
            self._refuse_without_effect('max_memory', 'takes tiles as they are set')
        match self.test_strategy:
            case TestingStrategy.Simple:
                self._refuse_without_effect('breakdown_patch_size', 'takes the whole picture')
                self._refuse_without_effect('overlap', 'takes the whole picture')
            case TestingStrategy.Patched:
                self._check_patch_size()
                self._refuse_without_effect('overlap', 'puts tiles side by side')
            case TestingStrategy.OverlappingPatched:
                patch = self._check_patch_size()
                if self.overlap is not None and self.overlap >= patch:
                    raise ValueError(
                        f'overlap must be smaller than breakdown_patch_size, got {self.overlap} and {patch}. '
                        "None takes the network's receptive field, however large."
                    )

    def _refuse_without_effect(self, setting: str, reason: str) -> None:
        if getattr(self, setting) is not None:
            raise ValueError(
                f'{setting} has no effect with {self.test_strategy}, which {reason}: leave it None, '
                f'got {getattr(self, setting)}.'
            )

    def _check_patch_size(self) -> int:
        if self.breakdown_patch_size is None:
            raise ValueError(
                f'breakdown_patch_size must be the side of a tile in LR pixels with {self.test_strategy}, such as 96, '
                'got None.'
            )
        return self.breakdown_patch_size
