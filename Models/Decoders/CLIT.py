"""CLIT: cascaded local implicit transformer, a decoder with attention over a window around the coordinate.

Paper: Chen, Xu, Hong, Tsai, Kuo, Lee, CVPR 2023, https://arxiv.org/abs/2303.16513.
Written from a description of the method, not from its code.
Checked against outputs of jaroslaw1007/CLIT@f13a053 (tests/references/clit1.npz, clit2.npz); the positional biases
other than sinusoids, of which no outputs were at hand, against the formula in float64 (test_CLIT.py).
Differs from it: the MLPs' first layers, which are linear in what a window holds, go over each window once instead of
once per query, which gives the same numbers up to rounding; which stages run, on maps of which sizes, follows from the
scale alone, in training too, where the original draws a scale per stage; and `query` gives the last stage's prediction
only.
"""

from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from Models.Decoders.Decoder import Decoder, DecoderFacts
from Models.Decoders.Queries import Queries, View
from Models.Layers.bilinear import sample_bilinear
from Models.Layers.convolutions import conv3x3
from Models.Layers.MLP import MLP
from Models.Layers.positional_bias import positional_bias
from Models.Layers.window_attention import Windows, attend_windows
from Utilities.coordinates import centers_of_pixels, nearest_pixel, pixel_centers, relative_cell

_CARRIED = 0.75
"""Share of a stage's prediction that the next one builds upon; the published constant."""

_ACTIVATIONS = {'gelu': nn.GELU, 'relu': nn.ReLU}

# Each query reads a whole window. So many numbers at once (half a GB) keep any device busy.
_NUMBERS_AT_ONCE = 2**27

Size = tuple[int, int]


class CLITPrepared(NamedTuple):
    """What CLIT knows of an image before any size or coordinate is asked for."""

    lr: Float[Tensor, 'batch 3 h w']

    initial: Float[Tensor, 'batch base_dim h w']
    """The map that every stage resamples."""


class StageMaps(NamedTuple):
    """What a stage attends with."""

    queries: Float[Tensor, 'batch base_dim h w']

    keys: Float[Tensor, 'batch padded_pixels base_dim']
    """With a margin of zeros that lets a window reach beyond the map; a row per pixel."""

    values: Float[Tensor, 'batch padded_pixels base_dim']

    size: Size
    """(h, w) without the margin."""


class Group(NamedTuple):
    """Images of a batch that go through the same stages; training batches hold several scales."""

    images: list[int]

    lr: Float[Tensor, 'some 3 h w']

    stages: list[StageMaps]

    cell: Float[Tensor, 'some 2']
    """As the network is shown it."""


class CLIT(Decoder[CLITPrepared, list[Group]]):
    """Stages of windowed attention on ever larger maps, each adding to the prediction of the one before.

    Stage i works on the encoder's features at `scale_per_stage ** i` times the LR size, and takes part if the picture
    asked for is larger than that; so it learns from such pictures only. One stage is the paper's LIT.

    Which maps the original's test takes is not checked: its configurations state `scale_base: 4`, and for training the
    three stages scales of up to 4, 4 and 2, from which the rule above is concluded. The stages themselves are checked.

    Args:
        feature_dim: channels of the encoder's features.
        stages: stages of the cascade.
        base_dim: channels of queries, keys and values.
        head: attention heads, which share the channels out evenly.
        r: the window reaches so many pixels to each side: (2r + 1)² in all.
        hidden: widths of the hidden layers of the MLPs, one MLP per stage.
        act: activation in the MLPs, `gelu` or `relu`.
        is_cell: give the MLPs the size of the HR pixel.
        posenc_type: what the positional bias is made of: `sinusoid`, `dpb` (an MLP of the offset), or None for none.
        posenc_scale: frequencies of the sinusoids go up to 2 to this power, less 1.
        enc_dims: sines and cosines that the positional bias is made of, a multiple of 4; width of that MLP.
        scale_per_stage: how many times larger the next stage's map is.

    Raises:
        ValueError: for a number below its minimum, an unknown activation, or channels that can not be shared out.
    """

    def __init__(  # noqa: PLR0913
        self,
        feature_dim: int,
        stages: int = 3,
        base_dim: int = 256,
        head: int = 8,
        r: int = 3,
        hidden: Sequence[int] = (256, 256, 256, 256),
        *,
        act: str = 'gelu',
        is_cell: bool = True,
        posenc_type: str | None = 'sinusoid',
        posenc_scale: float = 10.0,
        enc_dims: int = 64,
        scale_per_stage: float = 4.0,
    ) -> None:
        super().__init__()
        _check(stages, r, hidden, act, scale_per_stage)
        if head < 1 or base_dim < 1 or base_dim % head:
            raise ValueError(f'base_dim must be a multiple of head, got {base_dim} and {head}.')
        self.head = head
        self.r = r
        self.is_cell = is_cell
        self.limit_cell(None)
        self.scale_per_stage = scale_per_stage
        self.facts = DecoderFacts(
            # Two convolutions around a window. Sizes of later stages' maps are rounded, and follow from the picture's.
            receptive_field=r + 2 if stages == 1 else None,
            unused_weights=stages > 1,
            # Queries of the same window are cheap together, and a small piece cuts windows apart.
            least_default_piece=2**14,
        )
        self.conv_ch = conv3x3(feature_dim, base_dim)
        self.conv_vs = nn.ModuleList(conv3x3(base_dim, base_dim) for _ in range(stages))
        self.conv_qs = nn.ModuleList(conv3x3(base_dim, base_dim) for _ in range(stages))
        self.conv_ks = nn.ModuleList(conv3x3(base_dim, base_dim) for _ in range(stages))
        self.pb_encoder = positional_bias(posenc_type, head, posenc_scale, enc_dims)
        self.window_dim = (2 * r + 1) ** 2 * base_dim
        dim_in = self.window_dim + (2 if is_cell else 0)
        self.imnets = nn.ModuleList(MLP(dim_in, hidden, 3, _ACTIVATIONS[act]) for _ in range(stages))

    def limit_cell(self, cell_scale_max: float | None) -> None:
        super().limit_cell(cell_scale_max)
        self._scale_max, self.cell_scale_max = cell_scale_max, None

    def prepare(self, features: Float[Tensor, 'batch dim h w'], lr: Float[Tensor, 'batch 3 h w']) -> CLITPrepared:
        return CLITPrepared(lr, self.conv_ch(features))

    def aim(self, prepared: CLITPrepared, view: View) -> list[Group]:
        shown = view.cell
        if self._scale_max is not None:
            # Here instead of before, as the number of stages and their sizes are told by the cell.
            shown = shown.maximum(2 / (shown.new_tensor(view.lr_size) * self._scale_max))
        by_sizes: dict[tuple[Size, ...], list[int]] = {}
        for image, (height, width) in enumerate((2 / view.cell.double()).round().int().tolist()):
            by_sizes.setdefault(self.stage_sizes(view.lr_size, (height, width)), []).append(image)
        return [
            Group(images, prepared.lr[images], self.stage_maps(prepared.initial[images], sizes), shown[images])
            for sizes, images in by_sizes.items()
        ]

    def query(self, aimed: list[Group], queries: Queries) -> Float[Tensor, 'batch queries 3']:
        coord = queries.coord
        colors = [self.predict(lr, stages, coord[images], cell)[-1] for images, lr, stages, cell in aimed]
        order = torch.tensor([image for group in aimed for image in group.images], device=coord.device).argsort()
        return torch.cat(colors)[order]

    def stage_sizes(self, lr_size: Size, size: Size) -> tuple[Size, ...]:
        """Sizes of the maps of the stages that take part in a picture of `size`, the first being the LR size."""
        scale = max(size[0] / lr_size[0], size[1] / lr_size[1])
        factors = [self.scale_per_stage**stage for stage in range(len(self.imnets))]
        later = [factor for factor in factors[1:] if factor < scale]
        # Along a side that is enlarged less than the other, a map need not be larger than the picture.
        grown = [[min(round(n * factor), end) for n, end in zip(lr_size, size, strict=True)] for factor in later]
        return (lr_size, *((height, width) for height, width in grown))

    def stage_maps(self, initial: Float[Tensor, 'batch base_dim h w'], sizes: Sequence[Size]) -> list[StageMaps]:
        """What the first stages attend with, their maps being of the given sizes.

        Raises:
            ValueError: if there are more sizes than stages.
        """
        if len(sizes) > len(self.imnets):
            raise ValueError(f'There are {len(self.imnets)} stages, so at most as many sizes, got {len(sizes)}.')
        maps = []
        for stage, size in enumerate(sizes):
            features = initial if stage == 0 else _resample(initial, size)
            keys, values = self.conv_ks[stage](features), self.conv_vs[stage](features)
            maps.append(StageMaps(self.conv_qs[stage](features), self._table(keys), self._table(values), size))
        return maps

    def predict(
        self,
        lr: Float[Tensor, 'batch 3 h w'],
        stages: Sequence[StageMaps],
        coord: Float[Tensor, 'batch queries 2'],
        cell: Float[Tensor, 'batch 2'],
    ) -> list[Float[Tensor, 'batch queries 3']]:
        """Normalized colors as each stage predicts them; the last one's are the answer."""
        at_once = max(1, _NUMBERS_AT_ONCE // (self.window_dim * coord.shape[0]))
        image = sample_bilinear(lr, coord)
        predictions = []
        detail = torch.zeros_like(image)
        for maps, imnet in zip(stages, self.imnets, strict=False):
            pieces = [self._look_around(maps, cast(MLP, imnet), piece, cell) for piece in coord.split(at_once, dim=1)]
            detail = torch.cat(pieces, dim=1) + _CARRIED * detail
            predictions.append(image + detail)
        return predictions

    def _look_around(
        self,
        maps: StageMaps,
        imnet: MLP,
        coord: Float[Tensor, 'batch queries 2'],
        cell: Float[Tensor, 'batch 2'],
    ) -> Float[Tensor, 'batch queries 3']:
        """One stage's own share: attention over the window around each coordinate, then the MLP."""
        corner, bias = self._window(coord, maps.size)
        query = functional.grid_sample(maps.queries, coord.flip(-1)[:, None], mode='bilinear', align_corners=False)
        query = query[:, :, 0].transpose(1, 2).unflatten(2, (self.head, -1))  # (B, Q, heads, C)
        steps = self._steps(maps.size, corner.device)
        keys, values = (table.unflatten(2, (self.head, -1)) for table in (maps.keys, maps.values))
        weight = imnet.first.weight[:, : self.window_dim]
        hidden = attend_windows(Windows(corner, steps), query, bias, keys, values, weight)
        hidden = hidden + imnet.first.bias
        if self.is_cell:
            on_map = relative_cell(cell, maps.size)[:, None]
            hidden = hidden + functional.linear(on_map, imnet.first.weight[:, self.window_dim :])
        return imnet.layers[1:](hidden)

    def _window(
        self, coord: Float[Tensor, 'batch queries 2'], size: Size
    ) -> tuple[Int[Tensor, 'batch queries'], Float[Tensor, 'batch queries window heads']]:
        """Row of a stage's tables with the window's upper left pixel, for each coordinate, and the positional bias."""
        reach = torch.arange(-self.r, self.r + 1, device=coord.device, dtype=coord.dtype)
        positions, distances = [], []
        for axis, count in enumerate(size):
            nearest = nearest_pixel(coord[..., axis], count)
            centers = centers_of_pixels(nearest, count, coord.dtype)[..., None]
            # The highest frequency makes the last bit count: the published order of operations.
            distances.append((coord[..., axis, None] - (centers + reach * (2 / count))) * count)
            positions.append(nearest)
        return positions[0] * (size[1] + 2 * self.r) + positions[1], self.pb_encoder(*distances)

    def _steps(self, size: Size, device: torch.device) -> Int[Tensor, ' window']:
        """From the row of a window's upper left pixel to those of all its pixels."""
        side = torch.arange(2 * self.r + 1, device=device)
        return (side[:, None] * (size[1] + 2 * self.r) + side).flatten()

    def _table(self, values: Float[Tensor, 'batch dim h w']) -> Float[Tensor, 'batch padded_pixels dim']:
        return functional.pad(values, (self.r,) * 4).flatten(2).transpose(1, 2).contiguous()


def _resample(features: Float[Tensor, 'batch dim h w'], size: Size) -> Float[Tensor, 'batch dim height width']:
    """Bilinear samples at the centers of `size` pixels; beyond the border's centers they fade to zero, as published."""
    # Coordinates never in half precision, in which rounding would move pixels.
    dtype = torch.promote_types(features.dtype, torch.float32)
    rows, columns = (pixel_centers(n, device=features.device, dtype=dtype) for n in size)
    grid = torch.stack(torch.meshgrid(columns, rows, indexing='xy'), dim=-1).expand(features.shape[0], -1, -1, -1)
    return functional.grid_sample(features.to(dtype), grid, mode='bilinear', align_corners=False)


def _check(stages: int, r: int, hidden: Sequence[int], act: str, scale_per_stage: float) -> None:
    if stages < 1 or r < 0:
        raise ValueError(f'stages must be at least 1 and r at least 0, got {stages} and {r}.')
    if not hidden:
        raise ValueError("hidden must name at least one layer of CLIT's MLPs, got none.")
    if act not in _ACTIVATIONS:
        raise ValueError(f'act must be one of {sorted(_ACTIVATIONS)}, got {act!r}.')
    if not scale_per_stage > 1:
        raise ValueError(f'scale_per_stage must be above 1, got {scale_per_stage}.')
