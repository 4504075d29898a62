"""Official weights, by stated maps from their keys to ours.

Our networks keep the published names inside, so a map is a few prefixes, and a list of keys that the original stores
and never uses. Where two publications name the same network differently, patterns stand for the prefixes.
"""

import dataclasses
import re
from collections.abc import Iterable, Mapping

from torch import Tensor

_WITHOUT_EFFECT = (
    # yinboc/liif stores EDSR's and RCAN's mean shift (a 1x1 convolution with constant weights) and never applies it.
    r'(?:encoder\.)?(?:sub_mean|add_mean)\.(?:weight|bias)',
    # SwinIR stores two tables that follow from the window and the training size.
    r'(?:.+\.)?(?:attn_mask|relative_position_index)',
)


@dataclasses.dataclass(frozen=True)
class KeyMap:
    """From the keys of one publication's files to those of our `SuperResolver`, or lone encoder."""

    rules: tuple[tuple[str, str], ...]
    """The beginning of an official key, as a pattern, and what stands there in ours; the first that matches counts.
    `{body}` stands for how many entries the list `body` has, as our lists also hold the convolution behind it."""

    without_effect: tuple[str, ...] = _WITHOUT_EFFECT
    """Patterns of keys that the original never uses, or that are constants here."""

    def ours(self, keys: Iterable[str]) -> dict[str, str]:
        """Our key for each official one that has an effect; one that no rule knows stays as it is."""
        with_effect = [key for key in keys if not any(re.fullmatch(known, key) for known in self.without_effect)]
        counts = {name: _entries(name, with_effect) for name in ('body', 'residual_group')}
        return {key: self._renamed(key, counts) for key in with_effect}

    def __call__(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """An official state_dict under our keys, to be loaded strictly."""
        return {ours: state[key] for key, ours in self.ours(state).items()}

    def _renamed(self, key: str, counts: Mapping[str, int]) -> str:
        for pattern, ours in self.rules:
            found = re.match(pattern, key)
            if found:
                return found.expand(ours.format(**counts)) + key[found.end() :]
        return key


def _entries(name: str, keys: Iterable[str]) -> int:
    """One more than the largest number behind `name.` in any key."""
    numbers = [int(found[1]) for key in keys if (found := re.match(rf'(?:.+\.)?{name}\.(\d+)\.', key))]
    return max(numbers, default=-1) + 1


_TAIL = ((r'upsample\.', 'decoder.tail.0.'), (r'conv_last\.', 'decoder.tail.1.'))
_EDSR = (
    (r'conv_first\.', 'encoder.head.0.'),
    (r'body\.(\d+)\.conv1\.', r'encoder.body.\1.body.0.'),
    (r'body\.(\d+)\.conv2\.', r'encoder.body.\1.body.2.'),
    (r'conv_after_body\.', 'encoder.body.{body}.'),
)
_RCAN = (
    (r'conv_first\.', 'encoder.head.0.'),
    (r'body\.(\d+)\.residual_group\.(\d+)\.rcab\.([02])\.', r'encoder.body.\1.body.\2.body.\3.'),
    (r'body\.(\d+)\.residual_group\.(\d+)\.rcab\.3\.attention\.1\.', r'encoder.body.\1.body.\2.body.3.conv_du.0.'),
    (r'body\.(\d+)\.residual_group\.(\d+)\.rcab\.3\.attention\.3\.', r'encoder.body.\1.body.\2.body.3.conv_du.2.'),
    (r'body\.(\d+)\.conv\.', r'encoder.body.\1.body.{residual_group}.'),
    (r'conv_after_body\.', 'encoder.body.{body}.'),
)
_RDN = (
    (r'sfe([12])\.', r'encoder.SFENet\1.'),
    (r'rdbs\.(\d+)\.layers\.(\d+)\.conv\.', r'encoder.RDBs.\1.convs.\2.conv.0.'),
    (r'rdbs\.(\d+)\.lff\.', r'encoder.RDBs.\1.LFF.'),
    (r'gff\.', 'encoder.GFF.'),
)
_IMPLICIT = ((r'(?=imnet|cs_attn\.)', 'decoder.'),)
_REST_IS_ENCODER = ((r'', 'encoder.'),)

from_liif = KeyMap(
    (
        (r'encoder\.(?:tail|UPNet)\.', 'decoder.tail.'),
        (r'encoder\.', 'encoder.'),
        (r'', 'decoder.'),
    )
)
"""An encoder with any decoder of LIIF's family (yinboc/liif and what grew from it), or with its own upsampler."""

from_liif_encoder = KeyMap(())
"""A lone encoder of that family, as our encoder of that name takes it."""

from_liif_native = KeyMap(((r'(?:tail|UPNet)\.', 'decoder.tail.'), *_REST_IS_ENCODER))
"""An encoder of that family with its own upsampler, but stored by itself."""

from_basicsr_edsr = KeyMap((*_EDSR, *_TAIL))
"""EDSR (XPixelGroup/BasicSR) as a `SuperResolver` of EDSR and `Native` takes it."""

from_basicsr_rcan = KeyMap((*_RCAN, *_TAIL))
"""RCAN (XPixelGroup/BasicSR) as a `SuperResolver` of RCAN and `Native` takes it."""

from_swinir = KeyMap((*_TAIL, *_REST_IS_ENCODER))
"""SwinIR (JingyunLiang/SwinIR) as a `SuperResolver` of SwinIR and `Native` takes it."""

# CiaoSR stores the smallest patch norm as a weight.
_MM_WITHOUT_EFFECT = (*_WITHOUT_EFFECT, r'cs_attn\.escape_NaN')

from_mm_edsr = KeyMap((*_IMPLICIT, *_EDSR), _MM_WITHOUT_EFFECT)
"""EDSR with CiaoSR (caojiezhang/CiaoSR) or LIIF (open-mmlab/mmagic), without `generator.` in front."""

from_mm_rdn = KeyMap((*_IMPLICIT, *_RDN), _MM_WITHOUT_EFFECT)
"""RDN with one of them."""

from_mm_swinir = KeyMap((*_IMPLICIT, *_REST_IS_ENCODER), _MM_WITHOUT_EFFECT)
"""SwinIR with CiaoSR."""
