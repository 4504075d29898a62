"""SwinIR: an encoder of transformer blocks whose attention stays within windows, shifted from block to block.

Paper: Liang et al., ICCVW 2021, https://arxiv.org/abs/2108.10257; its blocks are those of the Swin Transformer, Liu et
al., ICCV 2021, https://arxiv.org/abs/2103.14030.
Written from the papers. Checked against outputs of jaewon-lee-b/lte@a8815d6 (tests/references/enc_swinir.npz,
swinir_lte.npz) and JingyunLiang/SwinIR@6545850 (swinir_classical_x2.npz).
Differs from them: features of images that are no multiple of the window are cropped back to the image's size, where
the first keeps the padded size under coordinates of the unpadded one; the attention mask always follows from the size
at hand, so no training size is stored; and `image_mean` and `image_std` of the decoder stand for the mean and range
that the second handles inside of the network. The three convolutions of `resi_connection='3conv'` are unchecked.
"""

from collections import OrderedDict
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from Models.Encoders.Encoder import Condition, Encoder, NativeTail
from Models.Layers.convolutions import conv3x3, sub_pixel_upsampler

_MASKED = -100.0
"""Added to the attention between pixels that are no neighbors; the published constant."""


class SwinIR(Encoder):
    """One convolution, groups of transformer blocks, one convolution, and the first one's output added.

    The default is the paper's classical network, as LTE uses it (11.6 M parameters without an upsampler).

    Args:
        window_size: side of an attention window in LR pixels; images are padded to a multiple of it.
        embed_dim: channels of the transformer blocks.
        depths: transformer blocks in each group; every second one has its windows shifted by half their size.
        num_heads: attention heads in the blocks of each group.
        mlp_ratio: width of a block's MLP over `embed_dim`.
        drop_path: share of training samples that skip the last block; the share rises linearly from 0 at the first.
        resi_connection: convolution at each group's end: `1conv`, or `3conv`, which goes through a quarter of the
            channels.
        conv_before_upsample: end with a convolution to 64 channels and a LeakyReLU, as LTE and the classical network
            do. False: features of `embed_dim` channels, as CiaoSR and the lightweight network have them.

    Raises:
        ValueError: if `depths` and `num_heads` differ in length, heads do not share the channels evenly, or a value
            is out of range.
    """

    def __init__(  # noqa: PLR0913, PLR0917
        self,
        window_size: int = 8,
        embed_dim: int = 180,
        depths: Sequence[int] = (6, 6, 6, 6, 6, 6),
        num_heads: Sequence[int] = (6, 6, 6, 6, 6, 6),
        mlp_ratio: float = 2.0,
        drop_path: float = 0.1,
        resi_connection: str = '1conv',
        conv_before_upsample: bool = True,
    ) -> None:
        super().__init__()
        _check_attention(window_size, embed_dim, depths, num_heads)
        if not 0 <= drop_path < 1:
            raise ValueError(f'drop_path must be from 0 to below 1, got {drop_path}.')
        self.window_size = self.size_multiple = window_size
        self.feature_dim = 64 if conv_before_upsample else embed_dim
        self.reduces = conv_before_upsample
        self.native_reach = 2 if conv_before_upsample else 1
        self.conv_first = conv3x3(3, embed_dim)
        self.patch_embed = nn.Sequential(OrderedDict(norm=nn.LayerNorm(embed_dim)))
        drops = iter([drop_path * index / max(sum(depths) - 1, 1) for index in range(sum(depths))])
        self.layers = nn.ModuleList()
        for depth, heads in zip(depths, num_heads, strict=True):
            blocks = [
                TransformerBlock(embed_dim, heads, window_size, index % 2 * (window_size // 2), mlp_ratio, next(drops))
                for index in range(depth)
            ]
            self.layers.append(TransformerGroup(blocks, _residual_convolution(embed_dim, resi_connection)))
        self.norm = nn.LayerNorm(embed_dim)
        self.conv_after_body = _residual_convolution(embed_dim, resi_connection)
        self.conv_before_upsample = (
            nn.Sequential(conv3x3(embed_dim, 64), nn.LeakyReLU(inplace=True)) if self.reduces else nn.Identity()
        )
        self.apply(_initialize)

    def extract(
        self, lr: Float[Tensor, 'batch 3 h w'], condition: Condition | None = None
    ) -> Float[Tensor, 'batch feature_dim h w']:
        shallow = self.conv_first(lr)
        tokens = self.patch_embed(shallow.permute(0, 2, 3, 1))  # (B, h, w, C)
        mask = shift_mask((lr.shape[2], lr.shape[3]), self.window_size, like=tokens)
        for group in self.layers:
            tokens = group(tokens, mask)
        deep = self.norm(tokens).permute(0, 3, 1, 2)
        return self.conv_before_upsample(shallow + self.conv_after_body(deep))

    def native_tail(self, scale: int) -> NativeTail:
        """Pixel shuffles and a convolution behind 64 channels, else the lightweight network's single pixel shuffle."""
        if self.reduces:
            return NativeTail([sub_pixel_upsampler(self.feature_dim, scale), conv3x3(self.feature_dim, 3)])
        if scale < 1:
            raise ValueError(f'The scale of an upsampler must be at least 1, got {scale}.')
        return NativeTail([nn.Sequential(conv3x3(self.feature_dim, 3 * scale**2), nn.PixelShuffle(scale))])


class TransformerGroup(nn.Module):
    """Transformer blocks and a convolution, added to the input."""

    def __init__(self, blocks: Sequence['TransformerBlock'], conv: nn.Module) -> None:
        super().__init__()
        self.residual_group = nn.ModuleDict({'blocks': nn.ModuleList(blocks)})
        self.conv = conv

    def forward(
        self, tokens: Float[Tensor, 'batch h w dim'], mask: Float[Tensor, 'windows 1 n n']
    ) -> Float[Tensor, 'batch h w dim']:
        residual = tokens
        for block in self.residual_group['blocks'].children():
            residual = block(residual, mask)
        return tokens + self.conv(residual.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class TransformerBlock(nn.Module):
    """Attention within windows, then an MLP per pixel, each normalized before and added to its input.

    Args:
        dim: channels.
        heads: attention heads.
        window: side of a window in pixels.
        shift: how far the windows are moved to the lower right.
        mlp_ratio: width of the MLP over `dim`.
        drop: share of training samples that skip either part.
    """

    def __init__(self, dim: int, heads: int, window: int, shift: int, mlp_ratio: float, drop: float) -> None:  # noqa: PLR0913
        super().__init__()
        self.window = window
        self.shift = shift
        self.norm1 = nn.LayerNorm(dim)
        self.attn = WindowAttention(dim, heads, window)
        self.drop_path = DropPath(drop)
        self.norm2 = nn.LayerNorm(dim)
        width = int(dim * mlp_ratio)
        self.mlp = nn.Sequential(OrderedDict(fc1=nn.Linear(dim, width), act=nn.GELU(), fc2=nn.Linear(width, dim)))

    def forward(
        self, tokens: Float[Tensor, 'batch h w dim'], mask: Float[Tensor, 'windows 1 n n']
    ) -> Float[Tensor, 'batch h w dim']:
        tokens = tokens + self.drop_path(self._attend(self.norm1(tokens), mask))
        return tokens + self.drop_path(self.mlp(self.norm2(tokens)))

    def _attend(
        self, tokens: Float[Tensor, 'batch h w dim'], mask: Float[Tensor, 'windows 1 n n']
    ) -> Float[Tensor, 'batch h w dim']:
        size = (tokens.shape[1], tokens.shape[2])
        if not self.shift:
            return merge_windows(self.attn(split_windows(tokens, self.window), None), self.window, size)
        moved = tokens.roll((-self.shift, -self.shift), dims=(1, 2))
        attended = self.attn(split_windows(moved, self.window), mask)
        return merge_windows(attended, self.window, size).roll((self.shift, self.shift), dims=(1, 2))


class WindowAttention(nn.Module):
    """Each pixel attends to all pixels of its window, with a learned bias for each offset between two pixels."""

    index: Tensor

    def __init__(self, dim: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads = heads
        self.relative_position_bias_table = nn.Parameter(torch.empty((2 * window - 1) ** 2, heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)
        self.register_buffer('index', _offset_index(window), persistent=False)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(
        self, tokens: Float[Tensor, 'batch windows n dim'], mask: Float[Tensor, 'windows 1 n n'] | None
    ) -> Float[Tensor, 'batch windows n dim']:
        query, key, value = self.qkv(tokens).unflatten(-1, (3, self.heads, -1)).permute(3, 0, 1, 4, 2, 5)
        bias = self.relative_position_bias_table[self.index].permute(2, 0, 1)  # (heads, n, n)
        if mask is not None:
            bias = bias + mask
        scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-2, -1) + bias  # (B, windows, heads, n, n)
        return self.proj((scores.softmax(dim=-1) @ value).transpose(-3, -2).flatten(-2))


class DropPath(nn.Module):
    """Leaves a residual out for some samples while training, and enlarges the others' to make up for it.

    Stochastic depth: Huang et al., ECCV 2016, https://arxiv.org/abs/1603.09382.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.kept = 1 - share

    def forward(self, residual: Float[Tensor, 'batch *rest']) -> Float[Tensor, 'batch *rest']:
        if not self.training or self.kept == 1:
            return residual
        factor = residual.new_empty(residual.shape[0], *[1] * (residual.ndim - 1)).bernoulli_(self.kept) / self.kept
        return residual * factor


def split_windows(tokens: Float[Tensor, 'batch h w dim'], window: int) -> Float[Tensor, 'batch windows n dim']:
    """Square windows, row after row, each with its pixels row after row."""
    return tokens.unflatten(2, (-1, window)).unflatten(1, (-1, window)).transpose(2, 3).flatten(3, 4).flatten(1, 2)


def merge_windows(
    windows: Float[Tensor, 'batch windows n dim'], window: int, size: tuple[int, int]
) -> Float[Tensor, 'batch h w dim']:
    """The inverse of `split_windows` for a map of `size` (h, w)."""
    split = windows.unflatten(2, (window, window)).unflatten(1, (size[0] // window, size[1] // window))
    return split.transpose(2, 3).flatten(3, 4).flatten(1, 2)


def shift_mask(size: tuple[int, int], window: int, *, like: Tensor) -> Float[Tensor, 'windows 1 n n']:
    """What to add to the attention within shifted windows: rolling has put opposite borders into the same window.

    Args:
        size: (h, w) of the map, multiples of the window.
        window: side of a window; the shift is half of it.
        like: gives device and type.
    """
    regions = []
    for count in size:
        pixel = torch.arange(count, device=like.device)
        # The last window holds pixels from two sides, apart at the shift.
        regions.append((pixel >= count - window).long() + (pixel >= count - window // 2).long())
    region = (3 * regions[0][:, None] + regions[1])[None, :, :, None].to(like.dtype)
    of_window = split_windows(region, window)[0, ..., 0]  # (windows, n)
    differs = of_window[:, None, :, None] != of_window[:, None, None, :]
    return differs.to(like.dtype) * _MASKED


def _offset_index(window: int) -> Int[Tensor, 'n n']:
    """Row of the bias table for each pair of pixels (query, key) in a window."""
    pixel = torch.arange(window**2)
    rows, columns = pixel // window, pixel % window
    rise = rows[:, None] - rows + window - 1
    run = columns[:, None] - columns + window - 1
    return rise * (2 * window - 1) + run


def _residual_convolution(dim: int, kind: str) -> nn.Module:
    if kind == '1conv':
        return conv3x3(dim, dim)
    if kind != '3conv':
        raise ValueError(f"resi_connection must be '1conv' or '3conv', got {kind!r}.")
    narrow = dim // 4
    return nn.Sequential(
        conv3x3(dim, narrow), nn.LeakyReLU(0.2), nn.Conv2d(narrow, narrow, 1), nn.LeakyReLU(0.2), conv3x3(narrow, dim)
    )


def _initialize(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)


def _check_attention(window_size: int, embed_dim: int, depths: Sequence[int], num_heads: Sequence[int]) -> None:
    if window_size < 1:
        raise ValueError(f'window_size must be at least 1, got {window_size}.')
    if not depths or len(depths) != len(num_heads) or min(*depths, *num_heads) < 1:
        raise ValueError(
            'depths and num_heads must name one number from 1 on for each group, '
            f'got {tuple(depths)} and {tuple(num_heads)}.'
        )
    if any(embed_dim % heads for heads in num_heads):
        raise ValueError(f'embed_dim must be a multiple of each of num_heads, got {embed_dim} and {tuple(num_heads)}.')
