"""What a benchmark measures."""

import dataclasses

from Models.DecoderType import DecoderType

COMPARED = tuple(member for member in DecoderType if member is not DecoderType.Native)
"""Decoders with a plain form to compare with."""

PARTS = ('inference', 'memory', 'training', 'loader')

Case = tuple[int, float]
"""Side of the LR picture in pixels, and the scale."""

_QUICK = ((64, 2.0), (64, 4.0), (64, 8.0))
_FULL = tuple((side, scale) for side in (64, 128, 256, 512) for scale in (2.0, 3.0, 4.0, 8.0, 12.0))
_QUICK_TIMED = ((64, 2.0), (64, 4.0), (120, 4.0))
# Memory is measured once, so larger pictures are affordable where the plain form is not too slow.
_QUICK_MEMORY = (*_QUICK, (64, 12.0), (120, 4.0), (192, 4.0))
_AFFORDABLE = (DecoderType.MetaSR, DecoderType.LIIF, DecoderType.LTE, DecoderType.LINF)
_MAIN = (DecoderType.LIIF, DecoderType.LTE)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """One call of the command; see its help for the meaning.

    Raises:
        ValueError: for a number below 1.
    """

    decoders: tuple[DecoderType, ...] = COMPARED
    parts: tuple[str, ...] = PARTS
    full: bool = False
    lr_sides: tuple[int, ...] = ()
    """Instead of the plan's own; so are `scales`. Empty: the plan's own."""

    scales: tuple[float, ...] = ()
    batch: int | None = None
    patch: int = 48
    """Side of the LR patches of training, in pixels; as many queries as it has pixels."""

    alternations: int = 7
    threads: int = 1
    device: str = 'cpu'
    precision: str = 'fp32'
    compile: bool = False

    def __post_init__(self) -> None:
        for setting in ('alternations', 'threads', 'batch', 'patch'):
            value = getattr(self, setting)
            if value is not None and value < 1:
                raise ValueError(f'{setting} must be at least 1, got {value}.')
        if min((*self.lr_sides, *self.scales), default=1) < 1:
            raise ValueError(f'LR sides and scales must be at least 1, got {self.lr_sides} and {self.scales}.')

    def timed_cases(self, decoder: DecoderType) -> list[Case]:
        """Sizes at which inference is timed."""
        return self._cases(_QUICK_TIMED if decoder in _AFFORDABLE else _QUICK_TIMED[1:])

    def memory_cases(self, decoder: DecoderType) -> list[Case]:
        """Sizes at which memory is measured."""
        return self._cases(_QUICK_MEMORY if decoder in _AFFORDABLE else _QUICK)

    def batch_of(self, decoder: DecoderType) -> int:
        """Samples of a training step."""
        return self.batch or (16 if decoder in _MAIN else 4)

    def _cases(self, quick: tuple[Case, ...]) -> list[Case]:
        own = _FULL if self.full else quick
        if not (self.lr_sides or self.scales):
            return list(own)
        sides = self.lr_sides or tuple(dict.fromkeys(side for side, _ in own))
        scales = self.scales or tuple(dict.fromkeys(scale for _, scale in own))
        return [(side, scale) for side in sides for scale in scales]
