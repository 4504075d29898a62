"""Official weights, by a stated map from their keys to ours.

Our networks keep the published names inside, so a map is a prefix and a list of keys that the original stores and never
uses.
"""

import re
from collections.abc import Mapping

from torch import Tensor

# yinboc/liif stores EDSR's mean shift (a 1x1 convolution with constant weights) and never applies it.
_UNUSED = re.compile(r'(?:encoder\.)?(?:sub_mean|add_mean)\.(?:weight|bias)')


def from_liif(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of an encoder with LIIF (yinboc/liif) as a `SuperResolver` takes them.

    Args:
        state: the official state_dict, with the keys `encoder.*` and `imnet.*`.

    Returns:
        A state_dict for `load_state_dict`, to be loaded strictly.
    """
    prefixes = {'encoder': 'encoder', 'imnet': 'decoder.imnet'}
    renamed = {}
    for key, tensor in state.items():
        if _UNUSED.fullmatch(key):
            continue
        head, _, rest = key.partition('.')
        renamed[f'{prefixes.get(head, head)}.{rest}'] = tensor
    return renamed


def from_liif_encoder(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of a lone encoder of yinboc/liif as our encoder of that name takes them."""
    return {key: tensor for key, tensor in state.items() if not _UNUSED.fullmatch(key)}
