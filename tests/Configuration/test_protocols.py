"""Protocols are what the repositories do, one name means one comparison, and mistakes are refused."""

import dataclasses
import math
from typing import Any

import pytest

from Configuration import BaseTestingConfiguration
from Configuration.protocols import LIIF, PUBLISHED, PictureKind, Protocol, refuse_same_name

# Color and shaved pixels at x4 and x12, on the classic sets and on DIV2K; 8 bits; limit of the cell; views.
DONE_BY_REPOSITORIES = {
    'liif': ('Y', 4, 12, 'RGB', 10, 18, False, 'network', 1),
    'lte': ('Y', 4, 12, 'RGB', 10, 18, False, 4, 1),
    'ciaosr': ('Y', 4, 12, 'Y', 4, 12, True, None, 1),
    'mmagic': ('RGB', 4, 12, 'RGB', 4, 12, True, None, 1),
    'thera': ('Y', 4, 12, 'RGB', 10, 18, False, 'network', 4),
    'gsasr': ('Y', 4, 8, 'Y', 4, 8, True, 'network', 1),
    'basicsr': ('RGB', 4, 12, 'RGB', 4, 12, True, 'network', 1),
}


@pytest.mark.parametrize('name', DONE_BY_REPOSITORIES)
def test_a_published_protocol_is_what_its_repository_does(name: str) -> None:
    protocol = PUBLISHED[name]
    found: list[Any] = []
    kinds: tuple[PictureKind, ...] = ('classic', 'DIV2K')
    for kind in kinds:
        found += [protocol.color_of(kind), *(protocol.border_px(kind, scale) for scale in (4, 12))]
    found += [protocol.rounds_to_8_bits, protocol.cell_scale_max, protocol.self_ensemble]
    assert tuple(found) == DONE_BY_REPOSITORIES[name]


def test_every_published_protocol_is_tested_and_goes_by_its_name() -> None:
    assert set(PUBLISHED) == set(DONE_BY_REPOSITORIES)
    assert all(protocol.name == name for name, protocol in PUBLISHED.items())
    assert BaseTestingConfiguration().protocol is LIIF


@pytest.mark.parametrize(
    ('scale', 'border'), [(2, 2), (2.7, 3), ((2, 3.5), 4), ((3.5, 2), 4), ((2.0, 2.0), 2), (7.5, 8), (30, 30)]
)
def test_the_border_is_the_larger_scale_rounded_up(scale: float | tuple[float, float], border: int) -> None:
    assert LIIF.border_px('classic', scale) == LIIF.border_px('photographs', scale) == border
    assert LIIF.border_px('DIV2K', scale) == border + 6
    assert PUBLISHED['gsasr'].border_px('DIV2K', scale) == min(border, 8)


def test_borders_are_told_as_papers_do() -> None:
    assert [PUBLISHED[name].border_text('DIV2K') for name in ('liif', 'mmagic', 'gsasr')] == [
        'scale + 6', 'scale', 'min(scale, 8)',
    ]  # fmt: skip


OTHER_VALUES: dict[str, Any] = {
    'official_lr_scales': (2, 3, 4, 8),
    'lr_bicubic': 'matlab',
    'hr_multiple': 12,
    'color': 'RGB',
    'color_div2k': 'Y',
    'extra_border_px': 1,
    'extra_border_px_div2k': 0,
    'largest_border_px': 8,
    'rounds_to_8_bits': True,
    'cell_scale_max': None,
    'self_ensemble': 8,
}


@pytest.mark.parametrize('field', [field.name for field in dataclasses.fields(Protocol) if field.name != 'name'])
def test_the_description_tells_each_field(field: str) -> None:
    """A field added later needs a value here, and so a place in the description."""
    other = Protocol(name='mine', **{field: OTHER_VALUES[field]})
    mine = Protocol(name='mine')
    changed = set(other.describe().split('; ')) ^ set(mine.describe().split('; '))
    assert {text.split('=')[0] for text in changed} == {field}
    with pytest.raises(ValueError, match=f"protocol 'mine' differs from the one of this name in {field}; give it"):
        refuse_same_name(other, mine)


def test_one_adds_a_protocol_by_naming_its_fields() -> None:
    mine = dataclasses.replace(LIIF, name='liif-8-bit', rounds_to_8_bits=True)
    assert BaseTestingConfiguration(protocol=mine).protocol.rounds_to_8_bits
    assert 'rounds_to_8_bits=True' in mine.describe()


def test_the_name_of_a_published_protocol_means_that_protocol() -> None:
    BaseTestingConfiguration(protocol=Protocol(name='liif'))
    with pytest.raises(ValueError, match=r"protocol 'liif' differs from the one of this name in color, self_ensemble;"):
        BaseTestingConfiguration(protocol=Protocol(name='liif', color='RGB', self_ensemble=8))


@pytest.mark.parametrize(
    ('fields', 'message'),
    [
        ({'name': 'mine', 'colour': 'Y'}, "Protocol has no setting 'colour'. Did you mean 'color'?"),
        ({'name': 'mine', 'color': 'YUV'}, "Protocol.color must be one of 'RGB', 'Y', got 'YUV'"),
        ({'name': 'my protocol'}, "name must be 1 to 40 letters, digits or hyphens, got 'my protocol'"),
        ({'name': 'mine', 'self_ensemble': 2}, 'Protocol.self_ensemble must be one of 1, 4, 8, got 2'),
        ({'name': 'mine', 'largest_border_px': 0}, 'Protocol.largest_border_px must be a whole number at least 1 or'),
        ({'name': 'mine', 'cell_scale_max': math.inf}, 'Protocol.cell_scale_max must be a finite number at least 1'),
    ],
)
def test_what_is_no_protocol_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace('?', r'\?')):
        Protocol(**fields)


@pytest.mark.parametrize('scales', [2, 2.7, (2, 3.5), ((2, 3.5),), (2, (1, 64), 3)])
def test_scales_and_pairs_are_settings(scales: Any) -> None:
    assert BaseTestingConfiguration(eval_scale=scales).eval_scale == scales


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'eval_scale': ((2, 3.5, 4),)}, r'eval_scale must be .* got \(\(2, 3.5, 4\),\)'),
        ({'eval_scale': ((2, 0.5),)}, 'eval_scale must be'),
        ({'eval_size': (100, 0)}, 'eval_size must be'),
        ({'eval_size': (100,)}, 'eval_size must be'),
        ({'self_ensemble': True}, 'self_ensemble must be 1, 4, 8 or None, got True; 8 is the usual one'),
        ({'self_ensemble': 2}, 'self_ensemble must be one of 1, 4, 8 or None, got 2'),
        (
            {'eval_size': (100, 80), 'valid_data_pathScale': 'lr{scale}'},
            'eval_size takes the scale from the pictures of valid_data_pathScale',
        ),
        ({'eval_size': (100, 80), 'valid_data_pathScale': 'lr', 'eval_scale': 2}, 'leave eval_scale None'),
        ({'protocol': 'LIIF'}, "protocol must be of type Protocol, got 'LIIF'. Did you mean protocol = protocols.LIIF"),
        ({'protocol': 'gsaSR'}, 'Did you mean protocol = protocols.GSASR'),
        ({'protocol': 'mine'}, "protocol must be of type Protocol, got 'mine'.$"),
    ],
)
def test_settings_that_can_not_be_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BaseTestingConfiguration(**settings)
