"""Our state_dict keys under the names that the original files give them: the way back from `KeyMap`.

Written apart from it, so that tests of the one are tests of both.
"""

import re
from collections.abc import Callable, Iterable, Sequence

Rules = Sequence[tuple[str, str]]

_LIIF: Rules = [(r'^decoder\.tail\.', 'encoder.tail.'), (r'^decoder\.', '')]
_LIIF_RDN: Rules = [(r'^decoder\.tail\.', 'encoder.UPNet.'), (r'^decoder\.', '')]
_TAIL: Rules = [(r'^decoder\.tail\.0\.', 'upsample.'), (r'^decoder\.tail\.1\.', 'conv_last.')]
_EDSR: Rules = [
    (r'^encoder\.head\.0\.', 'conv_first.'),
    (r'^encoder\.body\.(\d+)\.body\.0\.', r'body.\1.conv1.'),
    (r'^encoder\.body\.(\d+)\.body\.2\.', r'body.\1.conv2.'),
    (r'^encoder\.body\.\d+\.(weight|bias)$', r'conv_after_body.\1'),
]
_RCAN: Rules = [
    (r'^encoder\.head\.0\.', 'conv_first.'),
    (r'^encoder\.body\.(\d+)\.body\.(\d+)\.body\.3\.conv_du\.0\.', r'body.\1.residual_group.\2.rcab.3.attention.1.'),
    (r'^encoder\.body\.(\d+)\.body\.(\d+)\.body\.3\.conv_du\.2\.', r'body.\1.residual_group.\2.rcab.3.attention.3.'),
    (r'^encoder\.body\.(\d+)\.body\.(\d+)\.body\.([02])\.', r'body.\1.residual_group.\2.rcab.\3.'),
    (r'^encoder\.body\.(\d+)\.body\.\d+\.(weight|bias)$', r'body.\1.conv.\2'),
    (r'^encoder\.body\.\d+\.(weight|bias)$', r'conv_after_body.\1'),
]
_MM_RDN: Rules = [
    (r'^encoder\.SFENet(\d)\.', r'sfe\1.'),
    (r'^encoder\.RDBs\.(\d+)\.convs\.(\d+)\.conv\.0\.', r'rdbs.\1.layers.\2.conv.'),
    (r'^encoder\.RDBs\.(\d+)\.LFF\.', r'rdbs.\1.lff.'),
    (r'^encoder\.GFF\.', 'gff.'),
]
_BARE: Rules = [(r'^(?:encoder|decoder)\.', '')]

FAMILIES: dict[str, Rules] = {
    'liif': _LIIF,
    'liif-rdn': _LIIF_RDN,
    'liif-encoder': [(r'^decoder\.tail\.', 'tail.'), *_BARE],
    'basicsr-edsr': [*_EDSR, *_TAIL],
    'basicsr-rcan': [*_RCAN, *_TAIL],
    'swinir': [*_TAIL, *_BARE],
    'mm-edsr': [*_EDSR, *_BARE],
    'mm-rdn': [*_MM_RDN, *_BARE],
    'mm-swinir': _BARE,
}


def official_name(family: str) -> Callable[[str], str]:
    """From our key to that of a family of files."""

    def rename(key: str) -> str:
        for pattern, theirs in FAMILIES[family]:
            renamed, changes = re.subn(pattern, theirs, key)
            if changes:
                return renamed
        return key

    return rename


def official_names(family: str, keys: Iterable[str]) -> dict[str, str]:
    """Official key for each of ours."""
    rename = official_name(family)
    return {key: rename(key) for key in keys}
