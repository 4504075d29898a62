"""An encoder and a decoder that together super-resolve: [0, 1] in, [0, 1] out."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from Models.Decoders.Decoder import Decoder
from Models.Encoders.Encoder import Encoder
from Utilities.coordinates import cell_of, pixel_centers

# The activations of a chunk should stay in a CPU's cache; a GPU wants fewer, larger launches.
_QUERIES_PER_CHUNK_CPU = 2048
_QUERIES_PER_CHUNK_GPU = 262_144


class SuperResolver(nn.Module):
    """Encoder and decoder behind one interface: `forward` for training, `upscale` for use.

    Args:
        encoder: makes the features.
        decoder: reads colors out of them.
        mean, std: the networks see (image - mean) / std; the field's INR networks map [0, 1] to [-1, 1].
    """

    def __init__(self, encoder: Encoder, decoder: Decoder, mean: float = 0.5, std: float = 0.5) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.mean = mean
        self.std = std

    def forward(
        self,
        lr: Float[Tensor, 'batch 3 h w'],
        coord: Float[Tensor, 'batch queries 2'],
        cell: Float[Tensor, 'batch 2'],
    ) -> Float[Tensor, 'batch queries 3']:
        """Colors at the given coordinates, for training: not clipped, so that gradients reach every pixel.

        Args:
            lr: images in [0, 1].
            coord: centres of HR pixels as (y, x), where the image spans [-1, 1].
            cell: height and width of an HR pixel in the same units.
        """
        normalized = (lr - self.mean) / self.std
        context = self.decoder.prepare(self.encoder(normalized), normalized)
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
        per_chunk = queries_per_chunk or (_QUERIES_PER_CHUNK_CPU if lr.device.type == 'cpu' else _QUERIES_PER_CHUNK_GPU)
        normalized = (lr - self.mean) / self.std
        context = self.decoder.prepare(self.encoder(normalized), normalized)

        batch = lr.shape[0]
        cell = cell_of(size, batch=batch, device=lr.device, dtype=lr.dtype)
        rows = pixel_centers(height, device=lr.device, dtype=lr.dtype)
        columns = pixel_centers(width, device=lr.device, dtype=lr.dtype)
        result = lr.new_empty(batch, 3, height * width)
        for start in range(0, height * width, per_chunk):
            pixel = torch.arange(start, min(start + per_chunk, height * width), device=lr.device)
            coord = torch.stack([rows[pixel // width], columns[pixel % width]], dim=-1)  # (Q, 2)
            colors = self.decoder.query(context, coord.expand(batch, -1, -1), cell)
            result[:, :, start : start + per_chunk] = colors.transpose(1, 2)
        return result.mul_(self.std).add_(self.mean).clamp_(0, 1).unflatten(2, size)
