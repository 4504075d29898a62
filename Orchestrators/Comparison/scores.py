"""From rows to what can be compared: the same test, several models, each with its seeds."""

import dataclasses
import logging
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from Configuration.protocols import PUBLISHED
from Orchestrators.Evaluation.result_rows import BICUBIC, PictureRow, ResultRow

_LOGGER = logging.getLogger(__name__)

_PROTOCOL = ('protocol', 'lr', 'color', 'border_px', 'eval_size', 'protocol_fields')
# How a network is used. Bicubic interpolation is always used in the same way.
_SETTINGS = ('strategy', 'breakdown_patch_size', 'overlap', 'self_ensemble')
# What may tell models of one name apart, in the order in which it is added to their names.
_DISTINCTIONS = ('input_patch', 'scale_range', 'kind', *_SETTINGS, 'sha')
_SHOWN_AS = {
    'input_patch': 'patch {}',
    'scale_range': 'x{}',
    'breakdown_patch_size': 'tile {}',
    'overlap': 'overlap {}',
    'self_ensemble': 'ensemble {}',
}
_LARGEST_BICUBIC_DIFFERENCE_DB = 0.01


@dataclasses.dataclass(frozen=True)
class Test:
    """All that scores have to share to be compared."""

    benchmark: str
    scale: str
    protocol: tuple[tuple[str, str], ...]
    """Columns and cells: protocol, source of the LR pictures, colors, border."""

    @property
    def title(self) -> str:
        """`B100 x4`."""
        return f'{self.benchmark} x{self.scale}'

    @property
    def cells(self) -> dict[str, str]:
        """`protocol` by columns, without the fields of a published one, which its name stands for."""
        cells = dict(self.protocol)
        published = PUBLISHED.get(cells.get('protocol', ''))
        if published is not None and cells.get('protocol_fields') == published.describe():
            del cells['protocol_fields']
        return cells

    @property
    def conditions(self) -> str:
        """The protocol in words."""
        cells = self.cells
        words = [f'protocol {cells.pop("protocol", "") or "not stated"}']
        lr, color, border = (cells.pop(name, '') for name in ('lr', 'color', 'border_px'))
        words += [f'LR: {lr}'] * bool(lr) + [f'on {color}'] * bool(color) + [f'border {border} px'] * bool(border)
        return ', '.join(words + [f'{name} {cell}' for name, cell in cells.items() if cell])

    @property
    def mean_scale(self) -> float:
        """The scale as one number: the geometric mean of the two axes'."""
        return math.sqrt(math.prod(self.axis_scales))

    @property
    def axis_scales(self) -> tuple[float, float]:
        """Horizontal and vertical; NaN if the cell is no scale."""
        parts = self.scale.split('x')
        try:
            numbers = [float(part) for part in parts]
        except ValueError:
            return math.nan, math.nan
        return (numbers[0], numbers[-1]) if len(numbers) <= 2 else (math.nan, math.nan)


@dataclasses.dataclass(frozen=True)
class Run:
    """A checkpoint, used in one way."""

    name: str
    """`seed 0`, or where there is no seed the beginning of the weights' hash."""

    latest: PictureRow
    """Its newest row, for what is known of it."""


_Used = tuple[str, ...]
"""Method, checkpoint and settings: rows that share it are of one checkpoint used in one way."""

Pictures = Mapping[str, PictureRow]
"""Rows by picture."""


@dataclasses.dataclass(frozen=True)
class Scores:
    """Everything that was read, in order."""

    runs: Mapping[str, Sequence[Run]]
    """The runs of each model, by seed; bicubic interpolation is a model with one."""

    tests: Mapping[Test, Mapping[str, Mapping[Run, Pictures]]]
    """By test, model and run."""

    names: Mapping[_Used, str]
    """The model of each checkpoint and way of using it."""


def gather_scores(rows: Iterable[PictureRow]) -> Scores:
    """Sort rows by test, model and run. Of a picture that was tested twice, the latest counts.

    Raises:
        ValueError: if bicubic interpolation has other scores in one file than in another, as these are then not the
            same pictures.
    """
    latest: dict[_Used, PictureRow] = {}
    table: dict[tuple[Test, _Used, str], PictureRow] = {}
    for row in rows:
        used, test = _used(row), test_of(row)
        key = (test, used, row.text('picture'))
        if used == (BICUBIC,) and key in table:
            _refuse_other_pictures(test, table[key], row)
        if key not in table or row.text('time') >= table[key].text('time'):
            table[key] = row
        if used not in latest or row.text('time') >= latest[used].text('time'):
            latest[used] = row
    labels = _labels(latest)
    runs = {used: Run(_run_name(row), row) for used, row in latest.items()}
    tests: dict[Test, dict[str, dict[Run, dict[str, PictureRow]]]] = {}
    for (test, used, picture), row in table.items():
        models = tests.setdefault(test, {})
        models.setdefault(labels[used], {}).setdefault(runs[used], {})[picture] = row
    by_model: dict[str, list[Run]] = defaultdict(list)
    for used in sorted(latest, key=lambda used: (labels[used], _seed_order(latest[used]))):
        by_model[labels[used]].append(runs[used])
    order = sorted(tests, key=lambda test: (test.benchmark, test.mean_scale, test.scale, test.protocol))
    return Scores(dict(by_model), {test: tests[test] for test in order}, labels)


def label_of(scores: Scores, row: ResultRow) -> str | None:
    """The model that a row is of; None if it has no scores of pictures."""
    return scores.names.get(_used(row))


def test_of(row: ResultRow) -> Test:
    """The test that a row is of."""
    return Test(row.text('benchmark'), row.scale_text, tuple((name, row.text(name)) for name in _PROTOCOL))


def _used(row: ResultRow) -> _Used:
    if row.method == BICUBIC:
        return (BICUBIC,)
    # A table of an earlier version may lack the hash; then a file tells its checkpoints apart by their names.
    checkpoint = row.checkpoint_sha256 or f'{(row.file or Path()).parent}/{row.checkpoint}'
    return (row.text('method'), checkpoint, *(row.text(name) for name in _SETTINGS))


def _refuse_other_pictures(test: Test, one: PictureRow, other: PictureRow) -> None:
    first, second = one.number('PSNR'), other.number('PSNR')
    if first is None or second is None or first == second:
        return
    if abs(first - second) > _LARGEST_BICUBIC_DIFFERENCE_DB:
        raise ValueError(
            f'{test.title}: bicubic interpolation of {one.picture} has {first:.3f} dB in {one.file} and '
            f'{second:.3f} dB in {other.file}. So these are not the same pictures, or not the same protocol; compare '
            'the two apart.'
        )


def _labels(latest: Mapping[_Used, PictureRow]) -> dict[_Used, str]:
    """A model's name is its method and recipe, and of the rest what tells it from others of that name."""
    parts = {used: _parts(row) for used, row in latest.items() if used != (BICUBIC,)}
    _split_equal_seeds(parts, latest)
    labels: dict[_Used, str] = {(BICUBIC,): BICUBIC} if (BICUBIC,) in latest else {}
    for base in {(part['method'], part['recipe']) for part in parts.values()}:
        same = {used: part for used, part in parts.items() if (part['method'], part['recipe']) == base}
        differing = [name for name in _DISTINCTIONS if len({part[name] for part in same.values()}) > 1]
        for used, part in same.items():
            shown = [_SHOWN_AS.get(name, '{}').format(part[name]) for name in differing if part[name]]
            remark = f' ({", ".join(shown)})' if shown else ''
            labels[used] = ' '.join(word for word in base if word) + remark
    return labels


def _parts(row: ResultRow) -> dict[str, str]:
    known = {name: row.text(name) for name in ('method', 'recipe', 'input_patch', 'scale_range', *_SETTINGS)}
    stem = row.text('checkpoint').removesuffix('.pth')
    return known | {'kind': stem.rpartition('_')[2], 'sha': ''}


def _split_equal_seeds(parts: Mapping[_Used, dict[str, str]], latest: Mapping[_Used, PictureRow]) -> None:
    """Two checkpoints of one name and seed are not two seeds of a model, but two models, told apart by their hashes."""
    models: dict[tuple[str, ...], list[_Used]] = defaultdict(list)
    for used, part in parts.items():
        models[tuple(part.values())].append(used)
    for members in models.values():
        seeds = [latest[used].text('seed') for used in members]
        if len(set(seeds)) == len(seeds):
            continue
        _LOGGER.warning(
            '%d checkpoints %s have the same name and seed. They are taken for different models, not for seeds of one.',
            len(members), latest[members[0]].text('checkpoint'),
        )  # fmt: skip
        for used in members:
            parts[used]['sha'] = used[1][-8:]


def _run_name(row: ResultRow) -> str:
    if row.method == BICUBIC:
        return ''
    seed = row.text('seed')
    return f'seed {seed}' if seed else row.text('checkpoint_sha256')[:8] or row.text('checkpoint')


def _seed_order(row: ResultRow) -> tuple[int, str]:
    seed = row.text('seed')
    return (int(seed) if seed.isdecimal() else -1, seed)
