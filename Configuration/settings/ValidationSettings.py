from Configuration.FrozenConfiguration import Count, FrozenConfiguration
from Configuration.settings.NetworkSettings import Scale
from Models.BenchmarkType import BenchmarkType
from Models.QualityType import QualityType


class ValidationSettings(FrozenConfiguration):
    """What decides how good a network is while it learns."""

    valid_data: BenchmarkType | str = BenchmarkType.DIV2K
    """HR pictures to validate on: a folder's path or a set. Whole pictures, scored as in testing."""

    valid_scales: tuple[Scale, ...] = (2, 3, 4)
    """Scales of the validation. `best` has the best mean over them."""

    valid_examples: Count | None = 10
    """How many pictures are validated on, the first by name; None: all. Ten, as LIIF validates."""

    best_by: QualityType = QualityType.PSNR
    """The metric whose mean over `valid_scales` decides what `best` is, when to stop early and what
    the schedule `ReduceOnPlateau` looks at. PSNR, as the field has it."""

    def check(self) -> None:
        """Refuse a validation on nothing."""
        super().check()
        if not self.valid_scales:
            raise ValueError('valid_scales must name at least one scale, got none.')
        if self.valid_data is BenchmarkType.BENCHMARK:
            raise ValueError("valid_data must be a folder's path instead of BenchmarkType.BENCHMARK.")
