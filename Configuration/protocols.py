"""Evaluation protocols by name: what is compared with what, and how.

The same network on the same pictures differs by up to 2 dB between them, most of it between RGB and Y. Those here are
what the repositories do, as far as it is known; numbers of papers are to be compared within one protocol only.
One of your own: `Protocol(name='mine', color='RGB', rounds_to_8_bits=True)`, or, to change little,
`dataclasses.replace(protocols.LIIF, name='liif-8-bit', rounds_to_8_bits=True)`.
"""

import dataclasses
import math
import re
from collections.abc import Mapping
from typing import Annotated, Literal

from Configuration.FrozenConfiguration import Count, FrozenConfiguration, Range

PictureKind = Literal['classic', 'DIV2K', 'photographs']
"""What protocols treat apart: Y benchmarks and folders; DIV2K; pictures that no paper tests on."""

_NAME = re.compile(r'[A-Za-z0-9-]{1,40}')


class Protocol(FrozenConfiguration):
    """What is compared with what. Fields left out are LIIF's.

    Raises:
        ValueError: for an unknown field, a wrong type, an impossible value.
    """

    name: str
    """Letters, digits and hyphens, at most 40; stands in each row of the tables."""

    official_lr_scales: tuple[int, ...] = (2, 3, 4)
    """Scales at which a benchmark's official LR files are the input. MATLAB's bicubic, which made them, stands in
    where they are missing, or don't fit as `hr_multiple` crops HR."""

    lr_bicubic: Literal['pillow', 'matlab'] = 'pillow'
    """The bicubic reduction that makes LR at all other scales, and of pictures without official files."""

    hr_multiple: Count = 1
    """HR is first cropped to a multiple of this many pixels, at its lower and right border; 12 makes `GTmod12`. Then,
    as in all protocols, to what the scale needs: round(scale * floor(size / scale)). 1 crops nothing."""

    color: Literal['RGB', 'Y'] = 'Y'
    """What is compared on the classic benchmarks, and on a folder of one's own: RGB, or BT.601 luma not rounded."""

    color_div2k: Literal['RGB', 'Y'] = 'RGB'
    """What is compared on DIV2K, and on photographs that no paper tests on."""

    extra_border_px: Annotated[int, Range(0)] = 0
    """Pixels shaved off each side besides the scale, which is rounded up, and is the larger one of two."""

    extra_border_px_div2k: Annotated[int, Range(0)] = 6
    """The same on DIV2K."""

    largest_border_px: Count | None = None
    """The border is no wider than this, in pixels. None: however wide."""

    rounds_to_8_bits: bool = False
    """Whether the picture is rounded to 8 bits before it is compared, as by a file."""

    cell_scale_max: Annotated[float, Range(1)] | Literal['network'] | None = 'network'
    """Largest scale whose cell the decoder is shown. `network`: what its own options say, which are the published ones
    by default; None: the cell is never changed. `Native`, which has no cell, is left alone."""

    self_ensemble: Literal[1, 4, 8] = 1
    """Views of each picture whose predictions are averaged: 1 is the picture alone, 4 its rotations, 8 these and their
    mirror images."""

    def check(self) -> None:
        """Refuse a name that is no file name."""
        super().check()
        if not _NAME.fullmatch(self.name):
            raise ValueError(f'name must be 1 to 40 letters, digits or hyphens, got {self.name!r}.')

    @classmethod
    def named(cls) -> dict[str, str]:
        """The published ones as they are written in code, for the message on a name where one belongs."""
        return {name: f'protocols.{name.upper()}' for name in PUBLISHED}

    def color_of(self, kind: PictureKind) -> Literal['RGB', 'Y']:
        """What is compared on such pictures."""
        return self.color if kind == 'classic' else self.color_div2k

    def border_px(self, kind: PictureKind, scale: float | tuple[float, float]) -> int:
        """Pixels shaved off each side; per axis, the larger scale counts on both."""
        largest = max(scale) if isinstance(scale, tuple) else scale
        border = math.ceil(largest) + self._extra_border_px(kind)
        return border if self.largest_border_px is None else min(border, self.largest_border_px)

    def border_text(self, kind: PictureKind) -> str:
        """`scale`, `scale + 6` or `min(scale, 8)`."""
        extra = self._extra_border_px(kind)
        text = f'scale + {extra}' if extra else 'scale'
        return text if self.largest_border_px is None else f'min({text}, {self.largest_border_px})'

    def describe(self) -> str:
        """All fields but the name in one line, for a column of a table."""
        fields = {name: value for name, value in self.to_dict().items() if name != 'name'}
        return '; '.join(f'{name}={_text(value)}' for name, value in fields.items())

    def _extra_border_px(self, kind: PictureKind) -> int:
        return self.extra_border_px_div2k if kind == 'DIV2K' else self.extra_border_px


def _text(value: object) -> str:
    return ' '.join(f'{entry}' for entry in value) or 'none' if isinstance(value, list) else f'{value}'


LIIF = Protocol(name='liif')
"""yinboc/liif `test.py`, which most later papers follow."""

LTE = Protocol(name='lte', cell_scale_max=4)
"""jaewon-lee-b/lte: LIIF's, with the cell limited to that of x4 for every decoder. Only its evaluation in chunks limits
it; its published numbers are made so."""

CIAOSR = Protocol(
    name='ciaosr', hr_multiple=12, color_div2k='Y', extra_border_px_div2k=0, rounds_to_8_bits=True, cell_scale_max=None
)
"""caojiezhang/CiaoSR, its test configurations: `GTmod12`, LR files up to x4, made while testing above, Y, 8 bits. That
the files are MATLAB's, and the others Pillow's, is concluded. They have no DIV2K, which is taken alike here;
the paper's DIV2K table is LIIF's protocol, as its numbers say. The tiles (192, overlap 32) are the strategy's."""

MMAGIC = Protocol(
    name='mmagic', lr_bicubic='matlab', hr_multiple=12, color='RGB', extra_border_px_div2k=0, rounds_to_8_bits=True,
    cell_scale_max=None,
)  # fmt: skip
"""open-mmlab/mmagic, LIIF: `GTmod12`, RGB everywhere, 8 bits; border scale, as its README says (configurations have 2
or 4). That MATLAB's bicubic made all its LR files is concluded, as there are only their names."""

THERA = Protocol(name='thera', official_lr_scales=(), lr_bicubic='matlab', self_ensemble=4)
"""prs-eth/thera `run_eval.py` with its default, four rotations. LR is made by MATLAB's bicubic at all scales. That
`--y-only` is meant for the classic benchmarks is concluded from the paper's numbers. It clips the mean of the four
views; here each is clipped before."""

GSASR = Protocol(
    name='gsasr', official_lr_scales=(), lr_bicubic='matlab', color_div2k='Y', extra_border_px_div2k=0,
    largest_border_px=8, rounds_to_8_bits=True,
)  # fmt: skip
"""ChrisDud0257/GSASR: LR made at all scales by BasicSR's `imresize`, which is MATLAB's but for its rounding between the
passes; Y even on DIV2K, border min(scale, 8), compared as PNG files."""

BASICSR = Protocol(
    name='basicsr', lr_bicubic='matlab', hr_multiple=12, color='RGB', extra_border_px_div2k=0, rounds_to_8_bits=True
)
"""XPixelGroup/BasicSR, `options/test/EDSR`: `GTmod12`, RGB, border scale, 8 bits. For tests on Y use
`dataclasses.replace(BASICSR, name='basicsr-y', color='Y')`. That MATLAB's bicubic also serves scales that it does not
test is concluded."""

PUBLISHED: Mapping[str, Protocol] = {
    protocol.name: protocol for protocol in (LIIF, LTE, CIAOSR, MMAGIC, THERA, GSASR, BASICSR)
}


def refuse_same_name(protocol: Protocol, other: Protocol | None) -> None:
    """Refuse two protocols that have one name but compare differently.

    Raises:
        ValueError: naming the fields that differ.
    """
    if other is None or other.name != protocol.name or other == protocol:
        return
    names = [field.name for field in dataclasses.fields(Protocol)]
    differing = ', '.join(name for name in names if getattr(protocol, name) != getattr(other, name))
    raise ValueError(
        f'protocol {protocol.name!r} differs from the one of this name in {differing}; give it a name of its own.'
    )
