"""Official weights, by a stated map from their keys to ours.

Our networks keep the published names inside, so a map is a prefix and a list of keys that the original stores and never
uses. Where two publications name the same network differently, a table of patterns stands for the prefix.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from torch import Tensor

# yinboc/liif stores EDSR's and RCAN's mean shift (a 1x1 convolution with constant weights) and never applies it. SwinIR
# stores two tables that follow from the window and the training size.
_UNUSED = re.compile(
    r'(?:encoder\.)?(?:sub_mean|add_mean)\.(?:weight|bias)|(?:.+\.)?(?:attn_mask|relative_position_index)'
)

_BASICSR_EDSR = (
    (r'conv_first\.', 'encoder.head.0.'),
    (r'body\.(\d+)\.conv1\.', r'encoder.body.\1.body.0.'),
    (r'body\.(\d+)\.conv2\.', r'encoder.body.\1.body.2.'),
    (r'conv_after_body\.', 'encoder.body.{body}.'),
    (r'upsample\.', 'decoder.tail.0.'),
    (r'conv_last\.', 'decoder.tail.1.'),
)
_BASICSR_RCAN = (
    (r'conv_first\.', 'encoder.head.0.'),
    (r'body\.(\d+)\.residual_group\.(\d+)\.rcab\.([02])\.', r'encoder.body.\1.body.\2.body.\3.'),
    (r'body\.(\d+)\.residual_group\.(\d+)\.rcab\.3\.attention\.1\.', r'encoder.body.\1.body.\2.body.3.conv_du.0.'),
    (r'body\.(\d+)\.residual_group\.(\d+)\.rcab\.3\.attention\.3\.', r'encoder.body.\1.body.\2.body.3.conv_du.2.'),
    (r'body\.(\d+)\.conv\.', r'encoder.body.\1.body.{residual_group}.'),
    (r'conv_after_body\.', 'encoder.body.{body}.'),
    (r'upsample\.', 'decoder.tail.0.'),
    (r'conv_last\.', 'decoder.tail.1.'),
)
_SWINIR = (
    (r'upsample\.', 'decoder.tail.0.'),
    (r'conv_last\.', 'decoder.tail.1.'),
    (r'', 'encoder.'),
)


def from_liif(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of an encoder with LIIF, or with its own upsampler (yinboc/liif), as a `SuperResolver` takes them.

    Args:
        state: the official state_dict, with the keys `encoder.*` and `imnet.*`.

    Returns:
        A state_dict for `load_state_dict`, to be loaded strictly.
    """
    rules = (
        (r'encoder\.(?:tail|UPNet)\.', 'decoder.tail.'),
        (r'imnet\.', 'decoder.imnet.'),
        (r'encoder\.', 'encoder.'),
    )
    return _renamed(state, rules)


def from_liif_encoder(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of a lone encoder (yinboc/liif, jaewon-lee-b/lte) as our encoder of that name takes them."""
    return {key: tensor for key, tensor in state.items() if not _UNUSED.fullmatch(key)}


def from_liif_native(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of an encoder with its own upsampler (yinboc/liif) as a `SuperResolver` with `Native` takes them."""
    return from_liif({f'encoder.{key}': tensor for key, tensor in state.items()})


def from_basicsr_edsr(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of EDSR (XPixelGroup/BasicSR) as a `SuperResolver` of EDSR and `Native` takes them."""
    return _renamed(state, _BASICSR_EDSR)


def from_basicsr_rcan(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of RCAN (XPixelGroup/BasicSR) as a `SuperResolver` of RCAN and `Native` takes them."""
    return _renamed(state, _BASICSR_RCAN)


def from_swinir(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of SwinIR (JingyunLiang/SwinIR) as a `SuperResolver` of SwinIR and `Native` takes them.

    The lightweight network (`pixelshuffledirect`) is `SwinIR(conv_before_upsample=False)`.
    """
    return _renamed(state, _SWINIR)


def _renamed(state: Mapping[str, Tensor], rules: Sequence[tuple[str, str]]) -> dict[str, Tensor]:
    """Each key by the first rule whose pattern it begins with; one that none knows stays, for strict loading to name.

    `{name}` in a rule's result stands for how many entries the list `name` has.
    """
    counts = {name: _entries(name, state) for name in ('body', 'residual_group')}
    renamed = {}
    for key, tensor in state.items():
        if _UNUSED.fullmatch(key):
            continue
        for pattern, ours in rules:
            found = re.match(pattern, key)
            if found:
                key = found.expand(ours.format(**counts)) + key[found.end() :]  # noqa: PLW2901
                break
        renamed[key] = tensor
    return renamed


def _entries(name: str, keys: Iterable[str]) -> int:
    """One more than the largest number behind `name.` in any key."""
    numbers = [int(found[1]) for key in keys if (found := re.match(rf'(?:.+\.)?{name}\.(\d+)\.', key))]
    return max(numbers, default=-1) + 1
