"""Every network small enough to be tried in milliseconds: options by the name of the enum member.

A member without a row is tried at its published size.
"""

from typing import Any

import torch

from Models import DecoderType, EncoderType
from Models.build import build_super_resolver
from Models.SuperResolver import SuperResolver

ENCODERS: dict[str, dict[str, Any]] = {
    'EDSR': {'n_resblocks': 1, 'n_feats': 8},
    'RDN': {'D': 2, 'C': 2, 'G': 4, 'G0': 8},
    'RCAN': {'n_resgroups': 1, 'n_resblocks': 1, 'n_feats': 8, 'reduction': 2},
    'SwinIR': {
        'window_size': 4,
        'embed_dim': 8,
        'depths': (2,),
        'num_heads': (2,),
        'conv_before_upsample': False,
    },
}

DECODERS: dict[str, dict[str, Any]] = {
    'LIIF': {'hidden': (16, 16)},
    'Native': {'scale': 2},
    'MetaSR': {'hidden': (16,)},
    'LTE': {'hidden_dim': 16, 'hidden': (16,)},
    'LINF': {'hidden_dim': 16, 'hidden': (16,), 'flow_layers': 2},
    'SRNO': {'width': 16, 'heads': 2},
    'HIIF': {'width': 16, 'heads': 2},
    'CiaoSR': {'hidden_q': (16,), 'hidden_k': (16,), 'hidden_v': (16,)},
    # The second stage takes part from x1.5 on instead of x4.
    'CLIT': {'stages': 2, 'base_dim': 8, 'head': 2, 'r': 1, 'hidden': (16,), 'enc_dims': 8, 'scale_per_stage': 1.5},
}


def tiny(encoder: EncoderType, decoder: DecoderType, **decoder_options: Any) -> SuperResolver:
    """A pair with weights from one seed, for use."""
    torch.manual_seed(0)
    options = DECODERS.get(decoder.name, {}) | decoder_options
    return build_super_resolver(encoder, decoder, ENCODERS.get(encoder.name, {}), options).eval()
