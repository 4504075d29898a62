"""The kernel of `fused_mlp`; it imports Triton, which comes with torch's builds for GPUs alone."""

import triton
import triton.language as tl


@triton.jit
def _layer(low, high, weight, bias, HALF: tl.constexpr, PRECISION: tl.constexpr):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, N803
    # Two halves of a row times four blocks of the weight, as a whole weight and its product fill the registers.
    up = tl.arange(0, HALF)
    block = weight + up[:, None] * (2 * HALF) + up[None, :]
    below = block + HALF * 2 * HALF
    new_low = tl.dot(low, tl.load(block), input_precision=PRECISION)
    new_low = tl.dot(high, tl.load(below), new_low, input_precision=PRECISION)
    new_high = tl.dot(low, tl.load(block + HALF), input_precision=PRECISION)
    new_high = tl.dot(high, tl.load(below + HALF), new_high, input_precision=PRECISION)
    new_low = tl.maximum(new_low + tl.load(bias + up)[None, :], 0)
    new_high = tl.maximum(new_high + tl.load(bias + HALF + up)[None, :], 0)
    return new_low.to(low.dtype), new_high.to(low.dtype)


@triton.jit
def answer(  # type: ignore[no-untyped-def]  # noqa: ANN201, PLR0913, PLR0917
    table, waves, small, pixel, offset, share, weights, biases, last, last_bias, colors, rows, queries, pixels,  # noqa: ANN001
    HALF: tl.constexpr, LAYERS: tl.constexpr, NEIGHBORS: tl.constexpr, ROWS: tl.constexpr,  # noqa: N803
    HAS_WAVES: tl.constexpr, PRECISION: tl.constexpr,  # noqa: N803
):  # fmt: skip
    """Colors of a block of coordinates; arguments as in `fused_mlp`, `small` is the offset's weight or the phase."""
    kind = table.dtype.element_ty
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    present = row < rows
    image = tl.minimum(row, rows - 1) // queries
    up = tl.arange(0, HALF)
    red = tl.zeros([ROWS], tl.float32)
    green = tl.zeros([ROWS], tl.float32)
    blue = tl.zeros([ROWS], tl.float32)
    for neighbor in range(NEIGHBORS):
        place = neighbor * rows + row
        entry = tl.load(pixel + place, mask=present, other=0).to(tl.int64)
        at = entry[:, None] * (2 * HALF)
        y = tl.load(offset + 2 * place, mask=present, other=0.0)[:, None]
        x = tl.load(offset + 2 * place + 1, mask=present, other=0.0)[:, None]
        weight_of = tl.load(share + place, mask=present, other=0.0)
        low = tl.load(table + at + up[None, :]).to(tl.float32)
        high = tl.load(table + at + HALF + up[None, :]).to(tl.float32)
        if HAS_WAVES:
            # Of each image, frequencies along y of all its LR pixels, then along x.
            along_y = (entry + image * pixels)[:, None] * HALF + up[None, :]
            angle = tl.load(waves + along_y) * y + tl.load(waves + along_y + pixels * HALF) * x
            angle += tl.load(small + image[:, None] * HALF + up[None, :])
            low *= tl.cos(angle)
            high *= tl.sin(angle)
        else:
            low += tl.load(small + 2 * up)[None, :] * y + tl.load(small + 2 * up + 1)[None, :] * x
            high += tl.load(small + 2 * (HALF + up))[None, :] * y + tl.load(small + 2 * (HALF + up) + 1)[None, :] * x
            low = tl.maximum(low, 0)
            high = tl.maximum(high, 0)
        low, high = low.to(kind), high.to(kind)
        for number in range(LAYERS):
            weight = weights + number * (4 * HALF * HALF)
            low, high = _layer(low, high, weight, biases + number * 2 * HALF, HALF, PRECISION)
        # The last layer has three rows: too few for a product of matrices.
        low, high = low.to(tl.float32), high.to(tl.float32)
        for color in tl.static_range(3):
            start = last + color * 2 * HALF
            dot = tl.sum(low * tl.load(start + up)[None, :], axis=1)
            dot += tl.sum(high * tl.load(start + HALF + up)[None, :], axis=1)
            dot = (dot + tl.load(last_bias + color)) * weight_of
            if color == 0:
                red += dot
            elif color == 1:
                green += dot
            else:
                blue += dot
    tl.store(colors + 3 * row, red, mask=present)
    tl.store(colors + 3 * row + 1, green, mask=present)
    tl.store(colors + 3 * row + 2, blue, mask=present)
