"""Numba kernels of a frame on a CPU: Gaussians carried into the pose, and the picture's last step, each in one pass.

They do what ``lca_method.networks.deformer`` and ``GaussianDeltas.applied_to`` do, on buffers that are used again for
every frame. Sums run in a fixed order: the same bits on every run.
"""

import math

import numpy as np
from numba import prange

from lca_shared.rendering.numba_kernel import kernel


@kernel(parallel=True)
def carry(
    joints, weights, transforms, rest, moved_row, moved, raw, each, reach, single,
    means, quaternions, scales, opacities, colors, to_means, to_quaternions, to_scales, to_opacities, to_colors,
):  # fmt: skip
    """Gaussians at rest, what the network adds, the template's expression and skinning.

    Args:
        joints, weights: [gaussians, most] skinning without the zeros.
        transforms: [active joints, 12] from rest to world, three rows of four.
        rest: whether only skinning is asked for: ``raw`` is not read.
        moved_row: [gaussians] row of ``moved``, -1 = the expression does not move it.
        moved: [moving, 3] metres.
        raw: [tokens, each * (9 + 4 + single)]: of each token first colours, offsets and log scales (9 a Gaussian, after
            tanh), then quaternions (4 a Gaussian), then opacities.
        each: Gaussians of a token.
        reach: metres; offsets are multiplied by it.
        single: 1 = opacities change too.
        means ... colors: at rest.
        to_means ... to_colors: written.
    """
    number = means.dtype.type
    one, zero = number(1), number(0)
    for g in prange(means.shape[0]):
        token, k = g // each, g % each
        x, y, z = means[g, 0], means[g, 1], means[g, 2]
        qw, qx, qy, qz = quaternions[g, 0], quaternions[g, 1], quaternions[g, 2], quaternions[g, 3]
        if rest:
            for c in range(3):
                to_scales[g, c] = scales[g, c]
                to_colors[g, c] = colors[g, c]
            to_opacities[g] = opacities[g]
        else:
            at, turn = 9 * k, 9 * each + 4 * k
            x += reach * raw[token, at + 3]
            y += reach * raw[token, at + 4]
            z += reach * raw[token, at + 5]
            for c in range(3):
                to_colors[g, c] = min(max(colors[g, c] + raw[token, at + c], zero), one)
                to_scales[g, c] = scales[g, c] * math.exp(raw[token, at + 6 + c])
            qw += raw[token, turn]
            qx += raw[token, turn + 1]
            qy += raw[token, turn + 2]
            qz += raw[token, turn + 3]
            if single:
                opacity = min(max(opacities[g], number(1e-6)), one - number(1e-6))
                logit = math.log(opacity / (one - opacity)) + raw[token, 13 * each + k]
                to_opacities[g] = one / (one + math.exp(-logit))
            else:
                to_opacities[g] = opacities[g]
        row = moved_row[g]
        if row >= 0:
            x += moved[row, 0]
            y += moved[row, 1]
            z += moved[row, 2]
        t0 = t1 = t2 = t3 = t4 = t5 = t6 = t7 = t8 = t9 = t10 = t11 = zero
        for i in range(joints.shape[1]):
            w = weights[g, i]
            if w != 0:
                j = joints[g, i]
                t0 += w * transforms[j, 0]
                t1 += w * transforms[j, 1]
                t2 += w * transforms[j, 2]
                t3 += w * transforms[j, 3]
                t4 += w * transforms[j, 4]
                t5 += w * transforms[j, 5]
                t6 += w * transforms[j, 6]
                t7 += w * transforms[j, 7]
                t8 += w * transforms[j, 8]
                t9 += w * transforms[j, 9]
                t10 += w * transforms[j, 10]
                t11 += w * transforms[j, 11]
        to_means[g, 0] = t0 * x + t1 * y + t2 * z + t3
        to_means[g, 1] = t4 * x + t5 * y + t6 * z + t7
        to_means[g, 2] = t8 * x + t9 * y + t10 * z + t11
        # Gram-Schmidt of the first two columns
        a0, a1, a2 = t0, t4, t8
        b0, b1, b2 = t1, t5, t9
        length = one / math.sqrt(a0 * a0 + a1 * a1 + a2 * a2)
        a0, a1, a2 = a0 * length, a1 * length, a2 * length
        along = a0 * b0 + a1 * b1 + a2 * b2
        b0, b1, b2 = b0 - along * a0, b1 - along * a1, b2 - along * a2
        length = one / math.sqrt(b0 * b0 + b1 * b1 + b2 * b2)
        b0, b1, b2 = b0 * length, b1 * length, b2 * length
        c0, c1, c2 = a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0
        # the quaternion of the matrix with columns a, b, c: the largest column of 4 q q^T
        w0, x0, y0, z0 = one + a0 + b1 + c2, one + a0 - b1 - c2, one - a0 + b1 - c2, one - a0 - b1 + c2
        if w0 >= x0 and w0 >= y0 and w0 >= z0:
            rw, rx, ry, rz = w0, b2 - c1, c0 - a2, a1 - b0
        elif x0 >= y0 and x0 >= z0:
            rw, rx, ry, rz = b2 - c1, x0, a1 + b0, a2 + c0
        elif y0 >= z0:
            rw, rx, ry, rz = c0 - a2, a1 + b0, y0, b2 + c1
        else:
            rw, rx, ry, rz = a1 - b0, a2 + c0, b2 + c1, z0
        length = one / math.sqrt(rw * rw + rx * rx + ry * ry + rz * rz)
        rw, rx, ry, rz = rw * length, rx * length, ry * length, rz * length
        to_quaternions[g, 0] = rw * qw - rx * qx - ry * qy - rz * qz
        to_quaternions[g, 1] = rw * qx + rx * qw + ry * qz - rz * qy
        to_quaternions[g, 2] = rw * qy - rx * qz + ry * qw + rz * qx
        to_quaternions[g, 3] = rw * qz + rx * qy - ry * qx + rz * qw


@kernel(parallel=True)
def to_bytes(image, alpha, background, solid, out):
    """A picture's last step.

    Args:
        image: [height, width, 3] over black, sRGB; alpha: [height, width].
        background: [3]; solid: whether there is one.
        out: uint8 [height, width, 3], or [height, width, 4] with colours not multiplied by alpha; written.
    """
    number = image.dtype.type
    full, half, zero, least = number(255), number(0.5), number(0), number(1e-6)
    for y in prange(image.shape[0]):
        for x in range(image.shape[1]):
            a = alpha[y, x]
            for c in range(3):
                value = image[y, x, c] + (number(1) - a) * background[c] if solid else image[y, x, c] / max(a, least)
                out[y, x, c] = np.uint8(min(max(value, zero), number(1)) * full + half)
            if not solid:
                out[y, x, 3] = np.uint8(min(max(a, zero), number(1)) * full + half)
