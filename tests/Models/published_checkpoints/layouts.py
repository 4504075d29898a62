"""Small networks saved as each publication saves its own: ours, with the keys led back to the official names."""

import dataclasses
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from Models import DecoderType, EncoderType
from Models.build import build_super_resolver
from Models.SuperResolver import SuperResolver
from tests.official_names import official_name

E, D = EncoderType, DecoderType
State = dict[str, Tensor]

DIV2K = (0.4488, 0.4371, 0.4040)
EDSR = {'n_resblocks': 2, 'n_feats': 8}
RDN = {'D': 2, 'C': 3, 'G': 4, 'G0': 6}
RCAN = {'n_resgroups': 2, 'n_resblocks': 3, 'n_feats': 8, 'reduction': 4}
SWINIR = {'window_size': 4, 'embed_dim': 12, 'depths': (2, 3), 'num_heads': (2, 3), 'mlp_ratio': 1.5}
CIAOSR = {'hidden_q': (8,), 'hidden_k': (8, 9), 'hidden_v': (8,), 'multi_scale': (2, 3)}
CLIT = {'stages': 2, 'base_dim': 8, 'head': 2, 'r': 1, 'hidden': (8, 9), 'enc_dims': 8}
BASICSR = {'image_mean': DIV2K, 'image_std': (1 / 255,) * 3}
SWINIR_NORM = {'image_mean': DIV2K, 'image_std': (1.0,) * 3}


@dataclasses.dataclass(frozen=True)
class Saved:
    """A small network and how it is saved."""

    encoder: EncoderType
    encoder_options: dict[str, Any]
    decoder: DecoderType
    decoder_options: dict[str, Any]
    family: str
    wrap: Callable[[State], dict[str, Any]]

    def build(self) -> SuperResolver:
        torch.manual_seed(0)
        return build_super_resolver(self.encoder, self.decoder, self.encoder_options, self.decoder_options).eval()

    def state(self, model: SuperResolver) -> State:
        """The weights under official names, with constants that official files hold besides."""
        rename = official_name(self.family)
        state = {rename(key): value for key, value in model.state_dict().items()}
        if self.family == 'liif' and self.encoder in (E.EDSR, E.RCAN):
            state |= {'encoder.sub_mean.weight': torch.eye(3)[..., None, None], 'encoder.sub_mean.bias': torch.ones(3)}
        if self.decoder is D.CiaoSR:
            state['cs_attn.escape_NaN'] = torch.tensor([1e-4])
        if self.encoder is E.SwinIR:
            place = 'layers.0.residual_group.blocks.1.attn_mask'
            state[f'encoder.{place}' if self.family == 'liif' else place] = torch.zeros(4, 16, 16)
        return state


def spec(name: str, encoder: str, encoder_args: dict[str, Any], **args: Any) -> Callable[[State], dict[str, Any]]:
    """A file of LIIF's family."""
    encoder_spec = {'name': encoder, 'args': {'no_upsampling': True, **encoder_args}}

    def wrap(state: State) -> dict[str, Any]:
        model = {'name': name, 'args': {'encoder_spec': encoder_spec, **args}, 'sd': state}
        return {'model': model, 'optimizer': {'name': 'adam', 'args': {'lr': 1e-4}, 'sd': {}}, 'epoch': 1000}

    return wrap


def mlp(*hidden: int, **more: Any) -> dict[str, Any]:
    return {'name': 'mlp', 'args': {'out_dim': 3, 'hidden_list': list(hidden), **more}}


def study(state: State) -> dict[str, Any]:
    return {'model': state, 'optimizer': {'state': {}}, 'epoch': 100}


def mm(state: State) -> dict[str, Any]:
    generator = {f'generator.{key}': value for key, value in state.items()}
    return {'meta': {'iter': 5}, 'state_dict': {**generator, 'discriminator.conv.weight': torch.zeros(2)}}


def basicsr(state: State) -> dict[str, Any]:
    return {'params': {key: value + 1 for key, value in state.items()}, 'params_ema': state}


def params(state: State) -> dict[str, Any]:
    return {'params': state}


def parallel(state: State) -> dict[str, Any]:
    return {'params': {f'module.{key}': value for key, value in state.items()}}


POSITIONS = {'name': 'posenc', 'args': {'posenc_type': 'sinusoid', 'posenc_scale': 10, 'enc_dims': 8}}
DYNAMIC = {'name': 'posenc', 'args': {'posenc_type': 'dpb', 'hidden_dims': 8, 'enc_dims': 8}}
CLIT_ARGS = {'base_dim': 8, 'head': 2, 'r': 1, 'imnet_num': 2, 'conv_num': 2, 'pb_spec': POSITIONS}
RDN_ARGS = {'G0': 6, 'RDNconfig': 'tiny'}
BASELINE = ('edsr-baseline', EDSR)

LAYOUTS: dict[str, Saved] = {
    'liif': Saved(E.EDSR, EDSR, D.LIIF, {'hidden': (8, 9)}, 'liif', spec('liif', *BASELINE, imnet_spec=mlp(8, 9))),
    'liif, all switches off': Saved(
        E.EDSR,
        EDSR,
        D.LIIF,
        {'hidden': (8,), 'local_ensemble': False, 'feat_unfold': False, 'cell_decode': False},
        'liif',
        spec('liif', *BASELINE, imnet_spec=mlp(8), local_ensemble=False, feat_unfold=False, cell_decode=False),
    ),
    'liif, three features': Saved(
        E.EDSR, {'n_feats': 3, 'n_resblocks': 1}, D.LIIF, {'hidden': None}, 'liif',
        spec('liif', 'edsr-baseline', {'n_feats': 3, 'n_resblocks': 1}),
    ),
    'liif, large edsr': Saved(
        E.EDSR, {**EDSR, 'res_scale': 0.1}, D.LIIF, {'hidden': (8,)}, 'liif',
        spec('liif', 'edsr', EDSR, imnet_spec=mlp(8)),
    ),
    'liif, rdn': Saved(
        E.RDN, RDN, D.LIIF, {'hidden': (8,)}, 'liif-rdn', spec('liif', 'rdn', RDN_ARGS, imnet_spec=mlp(8))
    ),
    'edsr x3 in liif': Saved(
        E.EDSR, EDSR, D.Native, {'scale': 3}, 'liif',
        spec('liif', 'edsr-baseline', {**EDSR, 'scale': 3, 'no_upsampling': False}),
    ),
    'rdn x4 in liif': Saved(
        E.RDN, RDN, D.Native, {'scale': 4}, 'liif-rdn',
        spec('liif', 'rdn', {**RDN_ARGS, 'scale': 4, 'no_upsampling': False}, imnet_spec=None),
    ),
    'metasr': Saved(E.RCAN, RCAN, D.MetaSR, {}, 'liif', spec('metasr', 'rcan', RCAN)),
    'lte': Saved(
        E.EDSR, EDSR, D.LTE, {'hidden_dim': 6, 'hidden': (8, 9)}, 'liif',
        spec('lte', *BASELINE, imnet_spec=mlp(8, 9), hidden_dim=6),
    ),
    'lte-fast': Saved(
        E.EDSR, EDSR, D.LTE, {'hidden_dim': 6, 'hidden': (6, 6), 'plus': True}, 'liif',
        spec('lte-fast', *BASELINE, num_layer=2, hidden_dim=6, out_dim=3),
    ),
    'lte, swinir': Saved(
        E.SwinIR, SWINIR, D.LTE, {'hidden_dim': 6, 'hidden': (8,)}, 'liif',
        spec('lte', 'swinir-tiny', SWINIR, imnet_spec=mlp(8), hidden_dim=6),
    ),
    'sronet': Saved(
        E.EDSR, EDSR, D.SRNO, {'width': 8, 'heads': 2}, 'liif', spec('sronet', *BASELINE, width=8, blocks=2)
    ),
    'linf': Saved(
        E.EDSR, EDSR, D.LINF, {'hidden_dim': 6, 'hidden': (6, 6), 'flow_layers': 3}, 'liif',
        spec('linf', *BASELINE, imnet_spec={'name': 'flow', 'args': {'name': 'flow'}}, num_layer=2, hidden_dim=6,
             flow_layers=3),
    ),
    'linf-patch': Saved(
        E.EDSR, EDSR, D.LINF, {'hidden_dim': 6, 'hidden': (6,), 'flow_layers': 2, 'patch_size': 3}, 'liif',
        spec('linf-patch', *BASELINE, num_layer=1, hidden_dim=6, flow_layers=2, patch_size=3),
    ),
    'clit': Saved(
        E.EDSR, EDSR, D.CLIT, CLIT, 'liif', spec('clit', *BASELINE, imnet_spec=mlp(8, 9, act='gelu'), **CLIT_ARGS)
    ),
    'clit, dpb': Saved(
        E.EDSR, EDSR, D.CLIT, {**CLIT, 'posenc_type': 'dpb'}, 'liif',
        spec('clit', *BASELINE, imnet_spec=mlp(8, 9, act='gelu'), **{**CLIT_ARGS, 'pb_spec': DYNAMIC}),
    ),
    'clit without positional bias': Saved(
        E.EDSR, EDSR, D.CLIT, {**CLIT, 'posenc_type': None}, 'liif',
        spec('clit', *BASELINE, imnet_spec=mlp(8, 9, act='gelu'), **{**CLIT_ARGS, 'pb_spec': None}),
    ),
    'hiif': Saved(
        E.EDSR, EDSR, D.HIIF, {'width': 8, 'heads': 2}, 'liif', spec('hiif', *BASELINE, hidden_dim=8, blocks=2)
    ),
    'study, liif': Saved(E.EDSR, EDSR, D.LIIF, {'hidden': (8,)}, 'liif', study),
    'study, liif without unfolding and cell': Saved(
        E.RCAN, RCAN, D.LIIF, {'hidden': (8,), 'feat_unfold': False, 'cell_decode': False}, 'liif', study
    ),
    'study, metasr': Saved(E.RDN, RDN, D.MetaSR, {'hidden': (8,)}, 'liif-rdn', study),
    'study, lte': Saved(E.SwinIR, SWINIR, D.LTE, {'hidden_dim': 6, 'hidden': (8,)}, 'liif', study),
    'study, lte plus': Saved(E.EDSR, EDSR, D.LTE, {'hidden_dim': 6, 'hidden': (8, 9), 'plus': True}, 'liif', study),
    'study, srno': Saved(E.EDSR, EDSR, D.SRNO, {'width': 8, 'heads': 2}, 'liif', study),
    'study, linf': Saved(
        E.EDSR, EDSR, D.LINF, {'hidden_dim': 6, 'hidden': (8,), 'flow_layers': 2, 'patch_size': 3}, 'liif', study
    ),
    'study, hiif': Saved(E.EDSR, EDSR, D.HIIF, {'width': 8, 'heads': 2}, 'liif', study),
    'study, clit': Saved(E.EDSR, EDSR, D.CLIT, {**CLIT, 'is_cell': False}, 'liif', study),
    'study, clit, dpb': Saved(E.EDSR, EDSR, D.CLIT, {**CLIT, 'posenc_type': 'dpb'}, 'liif', study),
    'study, clit without positional bias': Saved(
        E.EDSR, EDSR, D.CLIT, {**CLIT, 'head': 8, 'posenc_type': None}, 'liif', study
    ),
    'study, edsr x4': Saved(E.EDSR, EDSR, D.Native, {'scale': 4}, 'liif', study),
    'study, rdn x3': Saved(E.RDN, RDN, D.Native, {'scale': 3}, 'liif-rdn', study),
    'ciaosr, edsr': Saved(E.EDSR, EDSR, D.CiaoSR, CIAOSR, 'mm-edsr', mm),
    'ciaosr, rdn': Saved(E.RDN, RDN, D.CiaoSR, {**CIAOSR, 'multi_scale': (4,)}, 'mm-rdn', mm),
    'ciaosr, swinir': Saved(
        E.SwinIR, {**SWINIR, 'conv_before_upsample': False}, D.CiaoSR, {**CIAOSR, 'feat_unfold': False}, 'mm-swinir', mm
    ),
    'ciaosr without the non-local part': Saved(
        E.EDSR, EDSR, D.CiaoSR,
        {'hidden_q': (8,), 'hidden_k': (8,), 'hidden_v': (8,), 'non_local_attn': False}, 'mm-edsr', mm,
    ),
    'mmagic liif, edsr': Saved(
        E.EDSR, EDSR, D.LIIF, {'hidden': (8,), 'image_mean': DIV2K, 'image_std': (1.0, 1.0, 1.0)}, 'mm-edsr', mm
    ),
    'mmagic liif, rdn': Saved(E.RDN, RDN, D.LIIF, {'hidden': (8,)}, 'mm-rdn', mm),
    'basicsr edsr x4': Saved(E.EDSR, EDSR, D.Native, {'scale': 4, **BASICSR}, 'basicsr-edsr', basicsr),
    'basicsr rcan x3': Saved(E.RCAN, RCAN, D.Native, {'scale': 3, **BASICSR}, 'basicsr-rcan', params),
    'basicsr edsr x2, in parallel': Saved(E.EDSR, EDSR, D.Native, {'scale': 2, **BASICSR}, 'basicsr-edsr', parallel),
    'swinir x4': Saved(E.SwinIR, SWINIR, D.Native, {'scale': 4, **SWINIR_NORM}, 'swinir', params),
    'lightweight swinir x3': Saved(
        E.SwinIR, {**SWINIR, 'conv_before_upsample': False, 'resi_connection': '3conv'}, D.Native,
        {'scale': 3, **SWINIR_NORM}, 'swinir', params,
    ),
}  # fmt: skip
