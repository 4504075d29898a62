"""Official weights, by a stated map from their keys to ours.

Our networks keep the published names inside, so a map is a prefix and a list of keys that the original stores and never
uses.
"""

import re
from collections.abc import Iterable, Mapping

from torch import Tensor

# yinboc/liif stores EDSR's mean shift (a 1x1 convolution with constant weights) and never applies it.
_UNUSED = re.compile(r'(?:encoder\.)?(?:sub_mean|add_mean)\.(?:weight|bias)')

# caojiezhang/CiaoSR stores the smallest patch norm; SwinIR's index buffers and masks follow from the sizes.
_UNUSED_CIAOSR = re.compile(r'cs_attn\.escape_NaN|.*\.(?:relative_position_index|attn_mask)')
_CIAOSR_DECODER = ('imnet_q', 'imnet_k', 'imnet_v', 'cs_attn')

_RDN_NAMES = (
    (r'sfe([12])\.', r'SFENet\1.'),
    (r'rdbs\.(\d+)\.layers\.(\d+)\.conv\.', r'RDBs.\1.convs.\2.conv.0.'),
    (r'rdbs\.(\d+)\.lff\.', r'RDBs.\1.LFF.'),
    (r'gff\.', 'GFF.'),
)


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


def from_clit(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of an encoder with CLIT (jaroslaw1007/CLIT) as a `SuperResolver` takes them."""
    return {
        key if key.startswith('encoder.') else f'decoder.{key}': tensor
        for key, tensor in state.items()
        if not _UNUSED.fullmatch(key)
    }


def from_ciaosr(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of an encoder with CiaoSR (caojiezhang/CiaoSR) as a `SuperResolver` takes them.

    Args:
        state: the official state_dict of EDSR, RDN or SwinIR with CiaoSR, with or without the prefix `generator.`.

    Returns:
        A state_dict for `load_state_dict`, to be loaded strictly.
    """
    bare = {key.removeprefix('generator.'): tensor for key, tensor in state.items()}
    bare = {key: tensor for key, tensor in bare.items() if not _UNUSED_CIAOSR.fullmatch(key)}
    decoder = {key: tensor for key, tensor in bare.items() if key.partition('.')[0] in _CIAOSR_DECODER}
    encoder = {key: tensor for key, tensor in bare.items() if key not in decoder}
    if 'sfe1.weight' in encoder:
        encoder = from_ciaosr_rdn(encoder)
    elif 'patch_embed.norm.weight' not in encoder:
        encoder = from_ciaosr_edsr(encoder)
    return {f'decoder.{key}': tensor for key, tensor in decoder.items()} | {
        f'encoder.{key}': tensor for key, tensor in encoder.items()
    }


def from_ciaosr_edsr(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of the EDSR in caojiezhang/CiaoSR (mmediting's, without its tail) as our `EDSR` takes them."""
    # Our body ends with the convolution that the original names conv_after_body.
    blocks = len({key.split('.')[1] for key in state if key.startswith('body.')})
    names = (
        (r'conv_first\.', 'head.0.'),
        (r'body\.(\d+)\.conv1\.', r'body.\1.body.0.'),
        (r'body\.(\d+)\.conv2\.', r'body.\1.body.2.'),
        (r'conv_after_body\.', f'body.{blocks}.'),
    )
    return _renamed(state, names)


def from_ciaosr_rdn(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of the RDN in caojiezhang/CiaoSR (mmediting's, without its tail) as our `RDN` takes them."""
    return _renamed(state, _RDN_NAMES)


def _renamed(state: Mapping[str, Tensor], names: Iterable[tuple[str, str]]) -> dict[str, Tensor]:
    """Keys that begin with a pattern begin with what stands beside it instead; the first match counts."""
    names = list(names)
    renamed = {}
    for key, tensor in state.items():
        pattern, start = next((name for name in names if re.match(name[0], key)), ('', ''))
        renamed[re.sub(f'^{pattern}', start, key)] = tensor
    return renamed
