# mypy: ignore-errors
# ruff: noqa: N803, N806, SIM108
"""Triton kernels for a step: a product of a matrix with one row per text, a norm, and attention of one query.

A product with a single row reads its matrix once and does hardly any arithmetic, so what counts is that nothing else is read or
launched: norms, biases, GELU and the addition to the residual stream happen in the kernel of the product. With many rows torch's
products are better, and `add_norm` does what is between two of them. Sums are in float32.
`erlangen.generate.fused` calls them; their plain twin is `erlangen.generate.static.StaticReader.step`.
"""

from __future__ import annotations

from importlib import import_module

triton, tl = import_module("triton"), import_module("triton.language")  # only CUDA builds of torch bring it


@triton.jit
def norm_product(
    h, gain, shift, weight, bias, out, rows, eps,
    WIDTH: tl.constexpr, BLOCK: tl.constexpr, ROWS: tl.constexpr,
    LAYER: tl.constexpr, SHIFTED: tl.constexpr, BIASED: tl.constexpr, GELU: tl.constexpr,
):  # fmt: skip
    """out (B, rows) = act(norm(h) Wᵀ + b), h (B, WIDTH) float32. One program: ROWS rows of W, one text.

    LAYER: LayerNorm, with a shift if SHIFTED; else RMSNorm.
    """
    text = tl.program_id(1)
    k = tl.arange(0, BLOCK)
    inside = k < WIDTH
    r = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    real = r < rows  # the matrix is asked for first: it comes while the norm is computed
    tile = tl.load(weight + r[:, None] * WIDTH + k[None, :], mask=real[:, None] & inside[None, :], other=0.0)
    x = tl.load(h + text * WIDTH + k, mask=inside, other=0.0)
    if LAYER:
        x = tl.where(inside, x - tl.sum(x, 0) / WIDTH, 0.0)
    x = x * tl.rsqrt(tl.sum(x * x, 0) / WIDTH + eps)
    x = x * tl.load(gain + k, mask=inside, other=0.0)
    if SHIFTED:
        x = x + tl.load(shift + k, mask=inside, other=0.0)
    x = x.to(weight.dtype.element_ty).to(tl.float32)  # as the plain product has it
    y = tl.sum(tile.to(tl.float32) * x[None, :], 1)
    if BIASED:
        y += tl.load(bias + r, mask=real, other=0.0).to(tl.float32)
    if GELU:
        y = y * tl.sigmoid(1.5957691216057308 * (y + 0.044715 * y * y * y))
    tl.store(out + text * rows + r, y.to(out.dtype.element_ty), mask=real)


@triton.jit
def product_add(
    x, weight, bias, h, rows, WIDTH: tl.constexpr, BLOCK: tl.constexpr, ROWS: tl.constexpr, BIASED: tl.constexpr
):  # fmt: skip
    """h (B, rows) float32 += x Wᵀ + b, x (B, WIDTH). One program: ROWS rows, one text."""
    text = tl.program_id(1)
    r = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    real = r < rows
    k = tl.arange(0, BLOCK)
    total = tl.zeros((ROWS, BLOCK), tl.float32)
    for start in range(0, WIDTH, BLOCK):
        inside = start + k < WIDTH
        row = tl.load(x + text * WIDTH + start + k, mask=inside, other=0.0).to(tl.float32)
        tile = tl.load(weight + r[:, None] * WIDTH + start + k[None, :], mask=real[:, None] & inside[None, :], other=0.0)
        total += tile.to(tl.float32) * row[None, :]
    y = tl.sum(total, 1)
    if BIASED:
        y += tl.load(bias + r, mask=real, other=0.0).to(tl.float32)
    at = h + text * rows + r
    tl.store(at, tl.load(at, mask=real, other=0.0) + y, mask=real)


@triton.jit
def add_norm(
    h, x, gain, shift, out, eps,
    WIDTH: tl.constexpr, BLOCK: tl.constexpr, ADDED: tl.constexpr, LAYER: tl.constexpr, SHIFTED: tl.constexpr,
):  # fmt: skip
    """h (B, WIDTH) float32 += x (B, WIDTH) if ADDED, and out (B, WIDTH) = norm(h). One program: one text. Options as above."""
    at = tl.program_id(0) * WIDTH
    k = tl.arange(0, BLOCK)
    inside = k < WIDTH
    y = tl.load(h + at + k, mask=inside, other=0.0)
    if ADDED:
        y = y + tl.load(x + at + k, mask=inside, other=0.0).to(tl.float32)
        tl.store(h + at + k, y, mask=inside)
    if LAYER:
        y = tl.where(inside, y - tl.sum(y, 0) / WIDTH, 0.0)
    y = y * tl.rsqrt(tl.sum(y * y, 0) / WIDTH + eps)
    y = y * tl.load(gain + k, mask=inside, other=0.0)
    if SHIFTED:
        y = y + tl.load(shift + k, mask=inside, other=0.0)
    tl.store(out + at + k, y.to(out.dtype.element_ty), mask=inside)


@triton.jit
def attend(
    qkv, keys, values, position, rotation, table, out, scale,
    HEADS: tl.constexpr, KEY_HEADS: tl.constexpr, SIZE: tl.constexpr, DIM: tl.constexpr, PADDED: tl.constexpr,
    BLOCK: tl.constexpr, ROTARY: tl.constexpr, INTERLEAVED: tl.constexpr, TABLES: tl.constexpr,
):  # fmt: skip
    """Write the next token's key and value to their slot, and attend. One program: one head of queries of one text.

    qkv (B, HEADS + 2 KEY_HEADS, DIM); keys, values (B, KEY_HEADS, SIZE, DIM) of one layer; position (1,) int64; rotation
    (2, DIM): cos and sin; table (TABLES, SIZE): the bias by distance, if TABLES is not 0; out (B, HEADS, DIM). The new token
    starts the softmax from registers, so that no program reads what is written here: of the heads that share a key, the first
    one writes it.
    """
    head, text = tl.program_id(0), tl.program_id(1)
    SHARING: tl.constexpr = HEADS // KEY_HEADS  # if it is 1, the compiler leaves the division out
    group = head // SHARING
    d = tl.arange(0, PADDED)
    inside = d < DIM
    query = qkv + (text * (HEADS + 2 * KEY_HEADS) + head) * DIM
    key = query + (HEADS + group - head) * DIM
    q = tl.load(query + d, mask=inside, other=0.0).to(tl.float32)
    k = tl.load(key + d, mask=inside, other=0.0).to(tl.float32)
    v = tl.load(key + KEY_HEADS * DIM + d, mask=inside, other=0.0)
    if ROTARY:
        if INTERLEAVED:
            other = d ^ 1
        else:
            other = (d + DIM // 2) % DIM
        cos = tl.load(rotation + d, mask=inside, other=0.0).to(tl.float32)
        sin = tl.load(rotation + DIM + d, mask=inside, other=0.0).to(tl.float32)
        q = q * cos + tl.load(query + other, mask=inside, other=0.0).to(tl.float32) * sin
        k = k * cos + tl.load(key + other, mask=inside, other=0.0).to(tl.float32) * sin
    now = tl.load(position)
    slot = (now % SIZE).to(tl.int32)
    ring = (text * KEY_HEADS + group) * SIZE * DIM
    k = k.to(keys.dtype.element_ty)
    written = inside
    if SHARING > 1:
        written = inside & (head % SHARING == 0)
    tl.store(keys + ring + slot * DIM + d, k, mask=written)
    tl.store(values + ring + slot * DIM + d, v, mask=written)
    q = q * scale
    best = tl.sum(q * k.to(tl.float32), 0)  # the bias at distance 0 is 0
    total = best * 0.0 + 1.0
    y = v.to(tl.float32)
    held = tl.minimum(now + 1, SIZE).to(tl.int32)
    for start in range(0, held, BLOCK):
        s = start + tl.arange(0, BLOCK)
        distance = tl.where(s <= slot, slot - s, slot - s + SIZE)
        seen = (s < held) & (distance > 0)
        tile = ring + s[:, None] * DIM + d[None, :]
        mask = seen[:, None] & inside[None, :]
        scores = tl.sum(tl.load(keys + tile, mask=mask, other=0.0).to(tl.float32) * q[None, :], 1)
        if TABLES > 0:
            scores += tl.load(table + (head % TABLES) * SIZE + distance, mask=seen, other=0.0).to(tl.float32)
        scores = tl.where(seen, scores, -float("inf"))
        above = tl.maximum(best, tl.max(scores, 0))
        weights = tl.exp(scores - above)
        shrink = tl.exp(best - above)
        total = total * shrink + tl.sum(weights, 0)
        y = y * shrink + tl.sum(weights[:, None] * tl.load(values + tile, mask=mask, other=0.0).to(tl.float32), 0)
        best = above
    tl.store(out + (text * HEADS + head) * DIM + d, (y / total).to(out.dtype.element_ty), mask=inside)
