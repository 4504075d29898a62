"""What is tested, and how. The field names are documented and stay as they are."""

from typing import Annotated

from Configuration.FrozenConfiguration import Count, Range
from Configuration.ModelConfiguration import ModelConfiguration, Scale
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

    eval_scale: Scale | tuple[Scale, ...] | None = None
    """Scale or scales to test. None: the benchmark's own."""

    valid_data_path: str | None = None
    """Folder of HR pictures for `BenchmarkType.BENCHMARK`. For the others None: found under `./datasets` or
    the folder that the environment variable ASSR_DATASETS names."""

    valid_data_pathScale: str | None = None  # noqa: N815  documented under this name
    """Folder of the LR pictures that belong to `valid_data_path`; `{scale}` in it stands for the scale.
    None: the LR pictures are made by bicubic reduction."""

    total_example: Count | None = None
    """How many pictures are tested, the first by name. None: all."""

    eval_batch_size: Count | None = None
    """Coordinates queried at a time. None: chosen for the device. It changes memory and speed, not the result."""

    test_strategy: TestingStrategy = TestingStrategy.Simple
    """How a picture goes through the network."""

    breakdown_patch_size: Count | None = None
    """Side of a tile in LR pixels; for strategies that cut the picture into tiles."""

    overlap: Annotated[int, Range(0)] | None = None
    """Overlap of tiles in LR pixels; for strategies that overlap tiles."""

    judges: tuple[QualityType, ...] = (QualityType.PSNR, QualityType.SSIM, QualityType.LPIPS)
    """Metrics. One that does not apply or can't be had is left out with its reason."""

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
        if self.test_strategy is TestingStrategy.Simple:
            for name in ('breakdown_patch_size', 'overlap'):
                if getattr(self, name) is not None:
                    raise ValueError(
                        f'{name} has no effect with TestingStrategy.Simple, which takes the whole picture: leave it '
                        f'None, got {getattr(self, name)}.'
                    )
        if self.benchmark is BenchmarkType.BENCHMARK and self.valid_data_path is None:
            raise ValueError('valid_data_path must name a folder of HR pictures for BenchmarkType.BENCHMARK, got None.')
