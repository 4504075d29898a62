from typing import Literal

from Configuration.FrozenConfiguration import Count, FrozenConfiguration
from Models.BenchmarkType import BenchmarkType


class DataSettings(FrozenConfiguration):
    """What is learned from."""

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

    on_bad_image: Literal['refuse', 'skip'] = 'refuse'
    """What to do about unreadable or too small training pictures: list them and stop, or train on the rest."""

    @property
    def train_entries(self) -> tuple[BenchmarkType | str, ...]:
        """`train_data`, also of one entry, as a tuple."""
        return self.train_data if isinstance(self.train_data, tuple) else (self.train_data,)

    @property
    def train_lr_entries(self) -> tuple[BenchmarkType | str, ...] | None:
        """`train_lr_data` likewise; None if there are no pairs."""
        entries = self.train_lr_data
        return entries if entries is None or isinstance(entries, tuple) else (entries,)

    def check(self) -> None:
        """Refuse no data at all, a set that is none, and LR data that can't belong to the HR data."""
        super().check()
        if not self.train_entries:
            raise ValueError('train_data must name at least one folder or set, got none.')
        if BenchmarkType.BENCHMARK in self.train_entries:
            raise ValueError("train_data must be a folder's path instead of BenchmarkType.BENCHMARK.")
        entries = self.train_lr_entries
        if entries is not None and len(entries) != len(self.train_entries):
            raise ValueError(
                f'train_lr_data must have one entry for each of train_data, got {len(entries)} and '
                f'{len(self.train_entries)}.'
            )
