"""Native: an encoder's own upsampler at one whole scale, behind the contract of all decoders.

Sub-pixel convolution: Shi et al., CVPR 2016, https://arxiv.org/abs/1609.05158; the layers are in each encoder's file.
Checked against outputs of yinboc/liif@4c833f8 (tests/references/edsr_x4.npz), XPixelGroup/BasicSR@8d56e3a
(basicsr_edsr_x4.npz, basicsr_rcan_x2.npz) and JingyunLiang/SwinIR@6545850 (swinir_classical_x2.npz).
Differs from them: the picture is made once and its pixels are then read by coordinate.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from Models.Decoders.Decoder import Decoder, DecoderFacts, Normalization
from Models.Decoders.Queries import Queries, View
from Models.Encoders.Encoder import Encoder
from Models.Layers.local_ensemble import gather_pixels, pixel_table
from Utilities.coordinates import small_constant

# In pixels; float32 coordinates are this exact up to 100 000 pixels a side.
_OFF_CENTER = 0.02


class NativePrepared(NamedTuple):
    """The picture, made before any pixel is asked for."""

    picture: Float[Tensor, 'batch pixels 3']
    size: tuple[int, int]


class Native(Decoder[NativePrepared, tuple[NativePrepared, View]]):
    """The published fixed-scale network's upsampler: it makes the whole picture, and answers with its pixels.

    Args:
        encoder: the network whose upsampler it is; only asked for it, not kept.
        scale: HR size over LR size, a whole number.
        image_mean: mean that images are normalized by. SwinIR's, and EDSR's and RCAN's in BasicSR, is that of DIV2K,
            (0.4488, 0.4371, 0.4040).
        image_std: standard deviation that images are normalized by; 1 / `img_range` of the networks just named, so 1
            for SwinIR and 1 / 255 for BasicSR.

    Raises:
        ValueError: if the encoder has no upsampler at this scale, or for a mean or deviation without meaning.
    """

    def __init__(
        self,
        encoder: Encoder,
        scale: int = 4,
        image_mean: Sequence[float] = (0.5, 0.5, 0.5),
        image_std: Sequence[float] = (0.5, 0.5, 0.5),
    ) -> None:
        super().__init__()
        self.scale = scale
        self.tail = encoder.native_tail(scale)
        self.facts = DecoderFacts(
            Normalization(image_mean, image_std),
            receptive_field=encoder.native_reach,
            needs_padded_features=True,
        )

    def limit_cell(self, cell_scale_max: float | None) -> None:
        if cell_scale_max is not None:
            raise ValueError(f'cell_scale_max is no option of Native, which has one scale, got {cell_scale_max}.')

    def check_size(self, lr_size: tuple[int, int], size: tuple[int, int]) -> None:
        full = (lr_size[0] * self.scale, lr_size[1] * self.scale)
        if size != full:
            raise ValueError(
                f'Native upscales by exactly {self.scale}, to {full[0]}x{full[1]} here, and was asked for '
                f'{size[0]}x{size[1]}. Ask for that size, or use a decoder for any scale.'
            )

    def prepare(
        self, features: Float[Tensor, 'batch dim padded_h padded_w'], lr: Float[Tensor, 'batch 3 h w']
    ) -> NativePrepared:
        size = (lr.shape[2] * self.scale, lr.shape[3] * self.scale)
        return NativePrepared(pixel_table(self.tail(features, lr)[..., : size[0], : size[1]]), size)

    def query(self, aimed: tuple[NativePrepared, View], queries: Queries) -> Float[Tensor, 'batch queries 3']:
        (picture, size), view = aimed
        neighbors = queries.neighbors(View(size, view.cell), local_ensemble=False)
        colors = gather_pixels(picture, neighbors.pixel)[0]
        asked = (2 / view.cell).round()
        off_center = neighbors.offset.abs().amax() / 2 if len(queries) else asked.new_zeros(())
        is_wrong = torch.stack([(asked != small_constant(size, asked)).any(), off_center > _OFF_CENTER])
        if not _is_waited_for(picture.device):
            return colors.masked_fill(is_wrong.any(), torch.nan)
        self._check_grid(size, asked, off_center, is_wrong)
        return colors

    def _check_grid(
        self,
        size: tuple[int, int],
        asked: Float[Tensor, 'batch 2'],
        off_center: Float[Tensor, ''],
        is_wrong: Bool[Tensor, '2'],
    ) -> None:
        # One transfer from the device for both.
        wrong_size, off_grid = is_wrong.tolist()
        if wrong_size:
            height, width = (int(side) for side in asked[(asked != asked.new_tensor(size)).any(dim=1)][0].tolist())
            self.check_size((size[0] // self.scale, size[1] // self.scale), (height, width))
        if off_grid:
            raise ValueError(
                f'Native knows the centers of the {size[0]}x{size[1]} pixels only, and was asked for a color '
                f'{off_center.item():.2f} pixels beside. Use a decoder for any scale.'
            )


def _is_waited_for(device: torch.device) -> bool:
    """Neither a GPU nor a compiler is: what is found wrong comes out as NaN, which training refuses. Sizes are checked
    before that.
    """
    return device.type != 'cuda' and not torch.compiler.is_compiling()
