"""An encoder and a decoder that together super-resolve: [0, 1] in, [0, 1] out."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from Models.Decoders.Decoder import Decoder
from Models.Encoders.Encoder import Encoder
from Utilities.coordinates import cell_of, pixel_centers

# The activations of a chunk should stay in a CPU's cache; a GPU wants fewer, larger launches.
_QUERIES_PER_CHUNK_CPU = 2048
_QUERIES_PER_CHUNK_GPU = 65_536


@dataclasses.dataclass(frozen=True)
class PixelChunks:
    """Coordinates of all pixels of a picture, row after row, in pieces; each pass gives the same."""

    size: tuple[int, int]
    per_chunk: int
    like: Tensor
    """Gives batch size, device and type."""

    def __iter__(self) -> Iterator[Float[Tensor, 'batch _ 2']]:
        height, width = self.size
        rows = pixel_centers(height, device=self.like.device, dtype=self.like.dtype)
        columns = pixel_centers(width, device=self.like.device, dtype=self.like.dtype)
        for start in range(0, height * width, self.per_chunk):
            pixel = torch.arange(start, min(start + self.per_chunk, height * width), device=self.like.device)
            coord = torch.stack([rows[pixel // width], columns[pixel % width]], dim=-1)
            yield coord.expand(self.like.shape[0], -1, -1)


class SuperResolver(nn.Module):
    """Encoder and decoder behind one interface: `forward` for training, `upscale` for use.

    Args:
        encoder: makes the features.
        decoder: reads colors out of them; it also says how images are normalized for both.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, encoder: Encoder, decoder: Decoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.register_buffer('mean', torch.tensor(decoder.image_mean), persistent=False)
        self.register_buffer('std', torch.tensor(decoder.image_std), persistent=False)

    @property
    def receptive_field(self) -> int | None:
        """How many LR pixels, to each side of the one that an HR pixel falls into, decide its color.

        With this margin, a crop is upscaled as it is in the whole (at scales from 1 on). None: no margin does.
        """
        encoder, decoder = self.encoder.receptive_field, self.decoder.receptive_field
        return None if encoder is None or decoder is None else encoder + decoder

    def forward(
        self,
        lr: Float[Tensor, 'batch 3 h w'],
        coord: Float[Tensor, 'batch queries 2'],
        cell: Float[Tensor, 'batch 2'],
        hr: Float[Tensor, 'batch queries 3'] | None = None,
    ) -> Float[Tensor, 'batch queries 3'] | Float[Tensor, '']:
        """Colors at the given coordinates, for training: not clipped, so that gradients reach every pixel.

        All that training asks of the network goes through here, as wrappers such as DistributedDataParallel need it.

        Args:
            lr: images in [0, 1].
            coord: centres of HR pixels as (y, x), where the image spans [-1, 1].
            cell: height and width of an HR pixel in the same units.
            hr: true colors in [0, 1] at the coordinates. Given them, the answer is the decoder's own training loss
                instead; only for decoders that train by likelihood.
        """
        normalized = self._normalize(lr)
        context = self._prepare(normalized)
        if hr is not None:
            return self.decoder.training_loss(context, coord, cell, (hr - self.mean) / self.std)
        return self.decoder.query(context, coord, cell) * self.std + self.mean

    @torch.inference_mode()
    def upscale(
        self, lr: Float[Tensor, 'batch 3 h w'], size: tuple[int, int], *, queries_per_chunk: int | None = None
    ) -> Float[Tensor, 'batch 3 height width']:
        """Super-resolve whole images to any height and width.

        Args:
            lr: images in [0, 1].
            size: (height, width) of the result; scales follow from it, per axis and fractional if need be.
            queries_per_chunk: coordinates asked for at a time. It changes memory and speed, not the result.

        Returns:
            Images in [0, 1].

        Raises:
            ValueError: for a size below 1.
        """
        height, width = size
        if min(size) < 1:
            raise ValueError(f'The size to upscale to must be at least 1x1, got {height}x{width}.')
        default = _QUERIES_PER_CHUNK_CPU if lr.device.type == 'cpu' else _QUERIES_PER_CHUNK_GPU
        per_chunk = queries_per_chunk or default
        normalized = self._normalize(lr)
        context = self._prepare(normalized)
        chunks = PixelChunks(size, per_chunk, normalized)

        result = lr.new_empty(lr.shape[0], 3, height * width)
        colors_of_chunks = self.decoder.query_in_chunks(context, chunks, self._cell(normalized, size))
        for start, colors in zip(range(0, height * width, per_chunk), colors_of_chunks, strict=True):
            result[:, :, start : start + per_chunk] = (colors * self.std + self.mean).transpose(1, 2)
        return result.clamp_(0, 1).unflatten(2, size)

    def _prepare(self, normalized: Float[Tensor, 'batch 3 h w']) -> Any:  # noqa: ANN401
        encode = self.encoder.extract_padded if self.decoder.wants_padding else self.encoder
        return self.decoder.prepare(encode(normalized), normalized)

    def _normalize(self, image: Float[Tensor, 'batch 3 h w']) -> Float[Tensor, 'batch 3 h w']:
        return (image - self.mean[:, None, None]) / self.std[:, None, None]

    def _cell(self, lr: Float[Tensor, 'batch 3 h w'], size: tuple[int, int]) -> Float[Tensor, 'batch 2']:
        """The cell that the decoder is shown for a picture of `size`."""
        cell = cell_of(size, batch=lr.shape[0], device=lr.device, dtype=lr.dtype)
        if self.decoder.cell_scale_max is None:
            return cell
        scale = lr.new_tensor([size[0] / lr.shape[2], size[1] / lr.shape[3]])
        return cell * (scale / self.decoder.cell_scale_max).clamp(min=1)
