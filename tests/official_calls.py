"""The calls that the fixtures record, made on our networks: what the official scripts do around a network."""

import dataclasses
from collections.abc import Callable
from math import sqrt
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from Models.Decoders.CiaoSR import CiaoSR
from Models.Decoders.CLIT import CLIT
from Models.Decoders.Decoder import Decoder
from Models.Decoders.HIIF import HIIF
from Models.Decoders.LINF import LINF
from Models.Decoders.LTE import LTE, LTEPrepared
from Models.Decoders.Native import Native
from Models.Decoders.Queries import Queries, View
from Models.Decoders.SRNO import SRNO
from Models.Encoders.Encoder import Encoder
from Models.Layers.bilinear import sample_bilinear
from Models.Layers.local_ensemble import gather_pixels
from Models.SuperResolver import SuperResolver
from tests.reference_files import Call
from Utilities.coordinates import nearest_pixel


@dataclasses.dataclass(frozen=True)
class Subject:
    """What a fixture's calls are made on."""

    encoder: Encoder | None
    """None: not built in this framework; the fixture's own features stand for it."""

    decoder: Decoder | None
    normalizes: bool = False
    """Whether the official network takes and gives [0, 1], and normalizes inside."""

    def features(self, call: Call) -> Tensor:
        if self.encoder is None:
            return call.outputs['feat']
        image = call.inputs['inp']
        expected = call.outputs.get('feat')
        padded = expected is not None and expected.shape[2:] != image.shape[2:]
        return self.encoder.extract_padded(image) if padded else self.encoder(image)

    def aimed(self, call: Call, features: Tensor) -> Any:
        """What the decoder knows of the call's image and size."""
        assert self.decoder is not None
        image = call.inputs['inp']
        size = (image.shape[2], image.shape[3])
        prepared = self.decoder.prepare(features[..., : size[0], : size[1]], image)
        return self.decoder.aim(prepared, View(size, _cell(call)))

    @property
    def model(self) -> SuperResolver:
        assert self.encoder is not None
        assert self.decoder is not None
        return SuperResolver(self.encoder, self.decoder).eval()


def outputs_of(subject: Subject, call: Call) -> dict[str, Tensor]:
    """What our network answers, under the fixture's names for it."""
    if call.runner not in _RUNNERS:
        raise ValueError(f'There is no runner {call.runner!r}; there are {", ".join(_RUNNERS)}.')
    return _RUNNERS[call.runner](subject, call)


def _x(subject: Subject, call: Call) -> dict[str, Tensor]:
    """model(inp)."""
    assert subject.encoder is not None
    image = call.inputs['inp']
    name = call.arguments.get('name', 'feat')
    if subject.decoder is None:
        return {name: subject.encoder.extract_padded(image)}
    assert isinstance(subject.decoder, Native)
    if not subject.normalizes:
        return {name: _native_picture(subject, image)}
    model = subject.model
    mean, std = model.mean[:, None, None], model.std[:, None, None]
    picture = _native_picture(subject, (image - mean) / std) * std + mean
    torch.testing.assert_close(model.upscale(image, (picture.shape[2], picture.shape[3])), picture.clamp(0, 1))
    return {name: picture}


def _native_picture(subject: Subject, normalized: Tensor) -> Tensor:
    assert subject.encoder is not None
    assert isinstance(subject.decoder, Native)
    picture, size = subject.decoder.prepare(subject.encoder.extract_padded(normalized), normalized)
    return picture.transpose(1, 2).unflatten(2, size)


def _liif(subject: Subject, call: Call) -> dict[str, Tensor]:
    """gen_feat and query_rgb."""
    decoder, coord = subject.decoder, call.inputs['coord'].flatten(1, -2)
    if decoder is None or isinstance(decoder, Native):
        # Without imnet, the original looks up the nearest of whatever the encoder puts out.
        picture = subject.features(call) if decoder is None else _native_picture(subject, call.inputs['inp'])
        size = picture.shape[2:]
        pixel = nearest_pixel(coord[..., 0], size[0]) * size[1] + nearest_pixel(coord[..., 1], size[1])
        colors = gather_pixels(picture.flatten(2).transpose(1, 2).contiguous(), pixel[None])[0]
        return {'feat': picture, **_rgb(call, colors)}
    features = subject.features(call)
    aimed = subject.aimed(call, features)
    found = {'feat': features, **_rgb(call, decoder.query(aimed, Queries(coord)))}
    if isinstance(decoder, LTE):
        found |= _waves(decoder, aimed.prepared, features)
    return found


def _batched(subject: Subject, call: Call) -> dict[str, Tensor]:
    """batched_predict: pieces of queries, or of rows, each as if it were all."""
    decoder, coord = subject.decoder, call.inputs['coord']
    assert decoder is not None
    size = next(value for name, value in call.arguments.items() if name.endswith('bsize'))
    features = subject.features(call)
    aimed = subject.aimed(call, features)
    pieces = [Queries(piece.flatten(1, -2)) for piece in coord.split(size, dim=1)]
    colors = [decoder.query(aimed, piece) for piece in pieces]
    return {'feat': features, **_rgb(call, torch.cat(colors, dim=1))}


def _eval(subject: Subject, call: Call) -> dict[str, Tensor]:
    """test.eval_psnr on one batch, from [0, 1] to [0, 1]."""
    settings = call.arguments['kw']
    image, truth = call.inputs['inp'], call.inputs['gt']
    kind, _, scale_text = (settings.get('eval_type') or 'none').partition('-')
    expected = call.outputs['pred']
    scale = float(scale_text or sqrt(call.inputs['coord'].flatten(1, -2).shape[1] / image[0, 0].numel()))
    model = subject.model
    for name, key in (('mean', 'sub'), ('std', 'div')):
        assert call.arguments['data_norm']['inp'][key] == call.arguments['data_norm']['gt'][key]
        getattr(model, name).copy_(torch.tensor(call.arguments['data_norm']['inp'][key]))
    model.decoder.cell_scale_max = _cell_limit(call)

    window, size = settings.get('window_size') or 0, (expected.shape[2], expected.shape[3])
    if window:
        image = _mirrored_with_edge(image, window)
        size = (round(image.shape[2] * scale), round(image.shape[3] * scale))
    per_chunk = settings.get('eval_bsize')
    if per_chunk and isinstance(model.decoder, SRNO | HIIF):
        picture = _in_pieces(model, image, size, per_chunk, call.inputs['coord'].dim() == 4)
    else:
        picture = model.upscale(image, size, queries_per_chunk=per_chunk)
    picture = picture[..., : expected.shape[2], : expected.shape[3]]
    found = {'pred': picture}
    if 'psnr' in call.outputs:
        as_picture = truth if truth.dim() == 4 else truth.transpose(1, 2).unflatten(2, expected.shape[2:])
        found['psnr'] = _psnr(picture, as_picture, kind, scale)
    return found


def _cell_limit(call: Call) -> float | None:
    """Largest scale whose cell the official evaluation shows the network."""
    settings, repository = call.arguments['kw'], call.arguments['repo'].partition('/')[2].lower()
    if repository == 'lte':
        return settings.get('scale_max', 4) if settings.get('eval_bsize') or settings.get('fast') else None
    if repository == 'super-resolution-neural-operator':
        return settings.get('scale_max', 4) if settings.get('mcell') else None
    if repository == 'linf':
        return settings.get('scale_max', 30)
    return None


def _mirrored_with_edge(image: Tensor, window: int) -> Tensor:
    """Continued at the bottom and the right beyond the next multiple of the window, the edge twice: LTE's --window."""
    height, width = ((n // window + 1) * window for n in image.shape[2:])
    image = torch.cat([image, image.flip(2)], dim=2)[:, :, :height]
    return torch.cat([image, image.flip(3)], dim=3)[..., :width]


def _in_pieces(model: SuperResolver, image: Tensor, size: tuple[int, int], per_chunk: int, rows: bool) -> Tensor:
    """Each piece by itself, as the original evaluates networks whose answers depend on each other."""
    normalized = model._normalize(image)
    coord = torch.cartesian_prod(*(torch.arange(1, 2 * n, 2) / n - 1 for n in size)).expand(len(image), -1, -1)
    lr_size = (image.shape[2], image.shape[3])
    cell = image.new_tensor(model._shown_cell(lr_size, size)).expand(len(image), 2)
    aimed = model.decoder.aim(model._prepare(normalized), View(lr_size, cell))
    pieces = coord.split(per_chunk * size[1] if rows else per_chunk, dim=1)
    colors = torch.cat([model.decoder.query(aimed, Queries(piece)) for piece in pieces], dim=1)
    return (colors * model.std + model.mean).clamp(0, 1).transpose(1, 2).unflatten(2, size)


def _psnr(picture: Tensor, truth: Tensor, kind: str, scale: float) -> Tensor:
    """yinboc/liif's PSNR: of RGB without scale + 6 pixels at the border, or of luma without scale pixels, or of all."""
    difference, border = picture - truth, 0
    if kind == 'div2k':
        border = int(scale) + 6
    elif kind == 'benchmark':
        border = int(scale)
        weights = torch.tensor([65.738, 129.057, 25.064]) / 256
        difference = (difference * weights[:, None, None]).sum(dim=1)
    if border:
        difference = difference[..., border:-border, border:-border]
    return -10 * difference.square().mean().log10()


def _linf(subject: Subject, call: Call) -> dict[str, Tensor]:
    """Pictures at temperature 0 and another, and the likelihood of the truth."""
    decoder = subject.decoder
    assert isinstance(decoder, LINF)
    image, coord, truth = (call.inputs[name] for name in ('inp', 'coord', 'gt'))
    grid, coord = (coord.shape[1], coord.shape[2]), coord.flatten(1, 2)
    features = subject.features(call)
    aimed, queries = subject.aimed(call, features), Queries(coord)
    noise = call.inputs['z'].unflatten(0, (len(image), -1))
    textures = [decoder.texture(aimed, queries, t * noise) for t in (0.0, call.arguments['temperature'])]
    of_truth = truth.flatten(2).transpose(1, 2)
    if decoder.patch_size == 1:
        skip = sample_bilinear(image, coord)
        pictures = [(texture + skip).transpose(1, 2).unflatten(2, grid) for texture in textures]
        of_truth = of_truth - skip
    else:
        # The caller adds the interpolated image; so the truth, too, is without it.
        p = decoder.patch_size
        pictures = [
            functional.fold(texture.transpose(1, 2), (grid[0] * p, grid[1] * p), p, stride=p) for texture in textures
        ]
    likelihood = decoder.log_likelihood(aimed, queries, of_truth).flatten()
    return {'feat': features, 'rgb_t0': pictures[0], 'rgb_t': pictures[1], 'log_p': likelihood}


def _clit(subject: Subject, call: Call) -> dict[str, Tensor]:
    """The prediction of every stage, the maps of all but the first having the sizes of `coords`."""
    decoder, image = subject.decoder, call.inputs['inp']
    assert isinstance(decoder, CLIT)
    features = subject.features(call)
    initial = decoder.prepare(features[..., : image.shape[2], : image.shape[3]], image).initial
    grids = [call.inputs[f'coords{stage}'] for stage in range(call.arguments['n_coords'])]
    sizes = [(image.shape[2], image.shape[3]), *((grid.shape[1], grid.shape[2]) for grid in grids[:-1])]
    maps = decoder.stage_maps(initial, sizes)
    predictions = decoder.predict(image, maps, call.inputs['sample_coord'].flatten(1, -2), _cell(call))
    return {
        'feat': features,
        'chop_last': predictions[-1],
        **{f'pred{stage}': prediction for stage, prediction in enumerate(predictions)},
    }


def _ciaosr(subject: Subject, call: Call) -> dict[str, Tensor]:
    """Features, what the cross-scale attention found, colors."""
    decoder = subject.decoder
    assert isinstance(decoder, CiaoSR)
    found = _liif(subject, call)
    prepared, _ = subject.aimed(call, found['feat'])
    found_by_attention = prepared.values[:, :, decoder.key_dim :].transpose(1, 2)
    return {**found, 'cs_attn': found_by_attention.unflatten(2, found['feat'].shape[2:])}


def _waves(decoder: LTE, prepared: LTEPrepared, features: Tensor) -> dict[str, Tensor]:
    """Amplitudes and frequencies as the original's maps; ours are in radians, and all of y before all of x."""
    waves = torch.cat([prepared.amplitude, *prepared.frequency.chunk(2, dim=1)], dim=-1)
    maps = waves.transpose(1, 2).unflatten(2, features.shape[2:])
    amplitude, along_y, along_x = maps.split([maps.shape[1] // 2, maps.shape[1] // 4, maps.shape[1] // 4], dim=1)
    frequencies = [along_y, along_x]
    together = torch.cat(frequencies, dim=1) if decoder.plus else torch.stack(frequencies, dim=2).flatten(1, 2)
    return {'coeff': amplitude, 'freqq': together / torch.pi}


def _cell(call: Call) -> Tensor:
    cell = call.inputs['cell']
    if cell.dim() == 3:
        # Given for each query, and the same for all.
        assert (cell == cell[:, :1]).all()
        cell = cell[:, 0]
    return cell


def _rgb(call: Call, colors: Tensor) -> dict[str, Tensor]:
    """Colors as the fixture has them, a list or a picture."""
    found = {}
    for name in {'rgb', 'pred'} & set(call.outputs):
        expected = call.outputs[name]
        found[name] = colors.transpose(1, 2).unflatten(2, expected.shape[2:]) if expected.dim() == 4 else colors
    return found


_RUNNERS: dict[str, Callable[[Subject, Call], dict[str, Tensor]]] = {
    'x': _x,
    'liif': _liif,
    'batched': _batched,
    'eval': _eval,
    'linf': _linf,
    'clit': _clit,
    'ciaosr': _ciaosr,
    'inr': _liif,
}
