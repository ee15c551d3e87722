"""Numba kernels of the CPU rasterizer: tiles in parallel, gradients by hand.

The gradients of every (Gaussian, tile) pair land in a row of their own and are summed in a fixed order afterwards: no
races, and the same bits on every run.
"""

import math

import numpy as np
from numba import prange

from lca_shared.rendering.numba_kernel import kernel


@kernel()
def bin_into_tiles(rectangles, tile, columns, rows):
    """Counting sort of Gaussians (nearest first) into tiles.

    Returns:
        ``starts`` [tiles + 1] and ``members``: tile t holds ``members[starts[t]:starts[t + 1]]``, nearest first.
    """
    starts = np.zeros(columns * rows + 1, np.int64)
    for g in range(rectangles.shape[0]):
        for ty in range(rectangles[g, 1] // tile, (rectangles[g, 3] + tile - 1) // tile):
            for tx in range(rectangles[g, 0] // tile, (rectangles[g, 2] + tile - 1) // tile):
                starts[ty * columns + tx + 1] += 1
    starts = np.cumsum(starts)
    cursor = starts[:-1].copy()
    members = np.empty(starts[-1], np.int32)
    for g in range(rectangles.shape[0]):
        for ty in range(rectangles[g, 1] // tile, (rectangles[g, 3] + tile - 1) // tile):
            for tx in range(rectangles[g, 0] // tile, (rectangles[g, 2] + tile - 1) // tile):
                t = ty * columns + tx
                members[cursor[t]] = g
                cursor[t] += 1
    return starts, members


@kernel(parallel=True)
def forward(
    means,
    conics,
    channels,
    depths,
    opacities,
    rectangles,
    starts,
    members,
    width,
    height,
    tile,
    columns,
    max_alpha,
    min_alpha,
    t_min,
):
    """Blend front to back.

    Returns:
        Image [height, width, channels] over black, depth times its weight summed [height, width], transmittance
        [height, width], and per pixel the place in ``members`` of the last Gaussian that was blended (-1: none).
    """
    count = channels.shape[1]
    number = means.dtype.type
    one, half, slack = number(1), number(0.5), number(1e-3)
    image = np.zeros((height, width, count), means.dtype)
    depth = np.zeros((height, width), means.dtype)
    transmittance = np.ones((height, width), means.dtype)
    last = np.full((height, width), -1, np.int64)
    for t in prange(starts.shape[0] - 1):
        x0, y0 = (t % columns) * tile, (t // columns) * tile
        x1, y1 = min(x0 + tile, width), min(y0 + tile, height)
        done = np.zeros((tile, tile), np.bool_)
        remaining = (x1 - x0) * (y1 - y0)
        for i in range(starts[t], starts[t + 1]):
            g = members[i]
            mx, my, opacity = means[g, 0], means[g, 1], opacities[g]
            a, b, c = conics[g, 0], conics[g, 1], conics[g, 2]
            sigma_max = math.log(opacity / min_alpha) + slack
            for y in range(max(y0, rectangles[g, 1]), min(y1, rectangles[g, 3])):
                dy = my - (number(y) + half)
                for x in range(max(x0, rectangles[g, 0]), min(x1, rectangles[g, 2])):
                    if done[y - y0, x - x0]:
                        continue
                    dx = mx - (number(x) + half)
                    sigma = half * (a * dx * dx + c * dy * dy) + b * dx * dy
                    if sigma < 0 or sigma > sigma_max:
                        continue
                    alpha = min(max_alpha, opacity * math.exp(-sigma))
                    if alpha < min_alpha:
                        continue
                    before = transmittance[y, x]
                    after = before * (one - alpha)
                    if after <= t_min:
                        done[y - y0, x - x0] = True
                        remaining -= 1
                        continue
                    weight = alpha * before
                    for k in range(count):
                        image[y, x, k] += channels[g, k] * weight
                    depth[y, x] += depths[g] * weight
                    transmittance[y, x] = after
                    last[y, x] = i
            if remaining == 0:
                break
    return image, depth, transmittance, last


@kernel(parallel=True)
def backward(
    means, conics, channels, depths, opacities, rectangles, starts, members, width, height, tile, columns, max_alpha,
    min_alpha, transmittance, last, grad_image, grad_depth, grad_alpha
):  # fmt: skip
    """Gradients of the forward pass.

    Returns:
        [pairs, 7 + channels] per (Gaussian, tile) pair: mean x, y; conic xx, xy, yy; opacity; depth; channels.
    """
    count = channels.shape[1]
    number = means.dtype.type
    one, half, slack = number(1), number(0.5), number(1e-3)
    gradients = np.zeros((members.shape[0], 7 + count), means.dtype)
    for t in prange(starts.shape[0] - 1):
        x0, y0 = (t % columns) * tile, (t // columns) * tile
        x1, y1 = min(x0 + tile, width), min(y0 + tile, height)
        through = transmittance[y0:y1, x0:x1].copy()
        behind = np.zeros((tile, tile), means.dtype)  # sum over Gaussians behind of weight * (channels . grad_image)
        for i in range(starts[t + 1] - 1, starts[t] - 1, -1):
            g = members[i]
            mx, my, opacity = means[g, 0], means[g, 1], opacities[g]
            a, b, c = conics[g, 0], conics[g, 1], conics[g, 2]
            sigma_max = math.log(opacity / min_alpha) + slack
            for y in range(max(y0, rectangles[g, 1]), min(y1, rectangles[g, 3])):
                dy = my - (number(y) + half)
                for x in range(max(x0, rectangles[g, 0]), min(x1, rectangles[g, 2])):
                    if i > last[y, x]:
                        continue
                    dx = mx - (number(x) + half)
                    sigma = half * (a * dx * dx + c * dy * dy) + b * dx * dy
                    if sigma < 0 or sigma > sigma_max:
                        continue
                    density = math.exp(-sigma)
                    alpha = min(max_alpha, opacity * density)
                    if alpha < min_alpha:
                        continue
                    ly, lx = y - y0, x - x0
                    inverse = one / (one - alpha)
                    before = through[ly, lx] * inverse
                    through[ly, lx] = before
                    weight = alpha * before
                    value = grad_depth[y, x]
                    gradients[i, 6] += weight * value
                    dot = depths[g] * value
                    for k in range(count):
                        value = grad_image[y, x, k]
                        gradients[i, 7 + k] += weight * value
                        dot += channels[g, k] * value
                    grad_a = dot * before - behind[ly, lx] * inverse + transmittance[y, x] * inverse * grad_alpha[y, x]
                    behind[ly, lx] += dot * weight
                    if opacity * density <= max_alpha:
                        gradients[i, 5] += density * grad_a
                        grad_sigma = -opacity * density * grad_a
                        gradients[i, 0] += grad_sigma * (a * dx + b * dy)
                        gradients[i, 1] += grad_sigma * (b * dx + c * dy)
                        gradients[i, 2] += half * grad_sigma * dx * dx
                        gradients[i, 3] += grad_sigma * dx * dy
                        gradients[i, 4] += half * grad_sigma * dy * dy
    return gradients


@kernel()
def sum_over_tiles(gradients, members, count):
    """Rows of (Gaussian, tile) pairs summed per Gaussian, in order."""
    total = np.zeros((count, gradients.shape[1]), gradients.dtype)
    for i in range(members.shape[0]):
        for k in range(gradients.shape[1]):
            total[members[i], k] += gradients[i, k]
    return total
