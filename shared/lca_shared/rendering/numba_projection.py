"""Numba kernels of the EWA projection: what :mod:`lca_shared.rendering.projection` does, in one pass.

``camera`` is [16]: rotation (rows), translation, fx, fy, cx, cy. ``rules`` is [5]: near, far, covariance blur, frustum
margin, least alpha. Both have the Gaussians' precision, so that single precision stays single.
"""

import math

import numpy as np
from numba import prange

from lca_shared.rendering.numba_kernel import kernel


@kernel()
def _pixels(center, radius, exact, tile, size):
    """First pixel and the one after the last along one axis: the tiles within ``radius`` met with ``exact``."""
    number = type(center)
    half = number(0.5)
    first = max(math.floor((center - radius) / tile) * tile, math.floor(center - exact - half))
    last = min(math.ceil((center + radius) / tile) * tile, math.ceil(center + exact + half))
    return min(max(first, number(0)), number(size)), min(max(last, number(0)), number(size))


@kernel()
def _rotation(quaternion):
    """Rotation matrix of a quaternion wxyz, as nine numbers, with the unit quaternion and the length's inverse."""
    w, x, y, z = quaternion[0], quaternion[1], quaternion[2], quaternion[3]
    one = type(w)(1)
    two = type(w)(2)
    length = math.sqrt(w * w + x * x + y * y + z * z)
    # A quaternion of length zero has no direction: it is taken for the identity, with a gradient of zero.
    inverse = one / length if length > 0 else type(w)(0)
    w, x, y, z = w * inverse, x * inverse, y * inverse, z * inverse
    return (
        one - two * (y * y + z * z),
        two * (x * y - w * z),
        two * (x * z + w * y),
        two * (x * y + w * z),
        one - two * (x * x + z * z),
        two * (y * z - w * x),
        two * (x * z - w * y),
        two * (y * z + w * x),
        one - two * (x * x + y * y),
        w,
        x,
        y,
        z,
        inverse,
    )


@kernel(parallel=True)
def project(means, quaternions, scales, opacities, camera, rules, isotropic, tile, width, height):
    """Project every Gaussian.

    Returns:
        ``splats`` [n, 6]: centre x, y (pixels), conic xx, xy, yy, depth (metres); ``rectangles`` [n, 4]: left, top,
        right, bottom, all zero where nothing is touched.
    """
    number = means.dtype.type
    count = means.shape[0]
    splats = np.zeros((count, 6), means.dtype)
    rectangles = np.zeros((count, 4), np.int32)
    half, zero, slack = number(0.5), number(0), number(1e-3)
    near, far, blur, margin, min_alpha = rules[0], rules[1], rules[2], rules[3] * half, rules[4]
    r00, r01, r02, r10, r11, r12, r20, r21, r22 = (
        camera[0], camera[1], camera[2], camera[3], camera[4], camera[5], camera[6], camera[7], camera[8]
    )  # fmt: skip
    fx, fy, cx, cy = camera[12], camera[13], camera[14], camera[15]
    margin_x, margin_y = margin * number(width) / fx, margin * number(height) / fy
    low_x, high_x = -(cx / fx + margin_x), (number(width) - cx) / fx + margin_x
    low_y, high_y = -(cy / fy + margin_y), (number(height) - cy) / fy + margin_y
    for g in prange(count):
        opacity = opacities[g]
        mx, my, mz = means[g, 0], means[g, 1], means[g, 2]
        z = r20 * mx + r21 * my + r22 * mz + camera[11]
        # Not a NaN either: every comparison with one is false.
        if not (z >= near and z <= far and opacity >= min_alpha):
            continue
        x = r00 * mx + r01 * my + r02 * mz + camera[9]
        y = r10 * mx + r11 * my + r12 * mz + camera[10]
        q = _rotation(quaternions[g])
        limited_x = min(max(x / z, low_x), high_x)
        limited_y = min(max(y / z, low_y), high_y)
        xx, xy, yy = blur, zero, blur
        for j in range(3):
            s = scales[g, j]
            b0, b1, b2 = q[j] * s, q[3 + j] * s, q[6 + j] * s
            a0 = r00 * b0 + r01 * b1 + r02 * b2
            a1 = r10 * b0 + r11 * b1 + r12 * b2
            a2 = r20 * b0 + r21 * b1 + r22 * b2
            u = fx / z * (a0 - limited_x * a2)
            v = fy / z * (a1 - limited_y * a2)
            xx += u * u
            xy += u * v
            yy += v * v
        determinant = xx * yy - xy * xy
        if not (determinant > 0 and determinant < np.inf):
            continue
        px, py = fx * x / z + cx, fy * y / z + cy
        reach = math.sqrt(max(number(2) * math.log(opacity / min_alpha), zero))
        if isotropic:
            middle = half * (xx + yy)
            longer = middle + math.sqrt(max(middle * middle - determinant, number(0.01)))
            radius_x = radius_y = math.ceil(number(3) * math.sqrt(longer))
        else:
            extent = min(reach, number(3.33))
            radius_x, radius_y = math.ceil(extent * math.sqrt(xx)), math.ceil(extent * math.sqrt(yy))
        radius_x, radius_y = number(radius_x), number(radius_y)
        if not (
            radius_x > 0 and px + radius_x > 0 and px - radius_x < width
            and radius_y > 0 and py + radius_y > 0 and py - radius_y < height
        ):  # fmt: skip
            continue
        left, right = _pixels(px, radius_x, reach * math.sqrt(xx) + slack, number(tile), width)
        top, bottom = _pixels(py, radius_y, reach * math.sqrt(yy) + slack, number(tile), height)
        if not (right > left and bottom > top):
            continue
        splats[g, 0], splats[g, 1] = px, py
        splats[g, 2], splats[g, 3], splats[g, 4] = yy / determinant, -xy / determinant, xx / determinant
        splats[g, 5] = z
        rectangles[g, 0], rectangles[g, 1], rectangles[g, 2], rectangles[g, 3] = left, top, right, bottom
    return splats, rectangles


@kernel()
def nearest_first(splats, rectangles):
    """Indices of the Gaussians that touch the picture, by depth in single precision, then by place in the input.

    A radix sort of the depths' bits, which order positive numbers as their values do.
    """
    count = 0
    for g in range(rectangles.shape[0]):
        count += rectangles[g, 2] > rectangles[g, 0]
    index, other = np.empty(count, np.int64), np.empty(count, np.int64)
    depths = np.empty(count, np.float32)
    place = 0
    for g in range(rectangles.shape[0]):
        if rectangles[g, 2] > rectangles[g, 0]:
            index[place] = g
            depths[place] = splats[g, 5]
            place += 1
    keys, other_keys = depths.view(np.int32), np.empty(count, np.int32)
    for shift in (0, 11, 22):
        starts = np.zeros(2049, np.int64)
        for i in range(count):
            starts[((keys[i] >> shift) & 2047) + 1] += 1
        starts = np.cumsum(starts)
        for i in range(count):
            digit = (keys[i] >> shift) & 2047
            other[starts[digit]], other_keys[starts[digit]] = index[i], keys[i]
            starts[digit] += 1
        index, other, keys, other_keys = other, index, other_keys, keys
    return index


@kernel()
def gather(index, splats, rectangles, opacities, colors):
    """What the compositing kernels take: centres, conics, colours, depths, opacities, rectangles of ``index``."""
    count = index.shape[0]
    channels = colors.shape[1]
    centers, conics = np.empty((count, 2), splats.dtype), np.empty((count, 3), splats.dtype)
    chosen_colors, depths = np.empty((count, channels), splats.dtype), np.empty(count, splats.dtype)
    chosen_opacities, chosen_rectangles = np.empty(count, splats.dtype), np.empty((count, 4), np.int32)
    for i in range(count):
        g = index[i]
        for k in range(2):
            centers[i, k] = splats[g, k]
        for k in range(3):
            conics[i, k] = splats[g, 2 + k]
        for k in range(channels):
            chosen_colors[i, k] = colors[g, k]
        for k in range(4):
            chosen_rectangles[i, k] = rectangles[g, k]
        depths[i], chosen_opacities[i] = splats[g, 5], opacities[g]
    return centers, conics, chosen_colors, depths, chosen_opacities, chosen_rectangles


@kernel(parallel=True)
def project_backward(
    index, gradients, means, quaternions, scales, camera, rules, width, height,
    grad_means, grad_quaternions, grad_scales, grad_opacities, grad_colors
):  # fmt: skip
    """Add to the five last arrays the gradients that ``gradients`` [visible, 7 + channels] stand for.

    Its columns: centre x, y; conic xx, xy, yy; opacity; depth; channels. Every Gaussian is in ``index`` once at most.
    """
    number = means.dtype.type
    half, two, four = number(0.5), number(2), number(4)
    blur, margin = rules[2], rules[3] * half
    r00, r01, r02, r10, r11, r12, r20, r21, r22 = (
        camera[0], camera[1], camera[2], camera[3], camera[4], camera[5], camera[6], camera[7], camera[8]
    )  # fmt: skip
    fx, fy, cx, cy = camera[12], camera[13], camera[14], camera[15]
    margin_x, margin_y = margin * number(width) / fx, margin * number(height) / fy
    low_x, high_x = -(cx / fx + margin_x), (number(width) - cx) / fx + margin_x
    low_y, high_y = -(cy / fy + margin_y), (number(height) - cy) / fy + margin_y
    for i in prange(index.shape[0]):
        g = index[i]
        mx, my, mz = means[g, 0], means[g, 1], means[g, 2]
        x = r00 * mx + r01 * my + r02 * mz + camera[9]
        y = r10 * mx + r11 * my + r12 * mz + camera[10]
        z = r20 * mx + r21 * my + r22 * mz + camera[11]
        q = _rotation(quaternions[g])
        slope_x, slope_y = x / z, y / z
        limited_x, limited_y = min(max(slope_x, low_x), high_x), min(max(slope_y, low_y), high_y)
        scale_x, scale_y = fx / z, fy / z
        xx, xy, yy = blur, number(0), blur
        for j in range(3):
            s = scales[g, j]
            b0, b1, b2 = q[j] * s, q[3 + j] * s, q[6 + j] * s
            a2 = r20 * b0 + r21 * b1 + r22 * b2
            u = scale_x * (r00 * b0 + r01 * b1 + r02 * b2 - limited_x * a2)
            v = scale_y * (r10 * b0 + r11 * b1 + r12 * b2 - limited_y * a2)
            xx += u * u
            xy += u * v
            yy += v * v
        determinant = xx * yy - xy * xy
        a, b, c = yy / determinant, -xy / determinant, xx / determinant
        # Through the inverse: -Q G Q with the conic Q and the symmetric gradient G.
        ga, gb, gc = gradients[i, 2], gradients[i, 3] * half, gradients[i, 4]
        h00, h01 = a * ga + b * gb, a * gb + b * gc
        h10, h11 = b * ga + c * gb, b * gb + c * gc
        grad_xx = -(h00 * a + h01 * b)
        grad_xy = -(h00 * b + h01 * c + h10 * a + h11 * b)
        grad_yy = -(h10 * b + h11 * c)
        grad_center_x, grad_center_y = gradients[i, 0], gradients[i, 1]
        grad_x, grad_y = scale_x * grad_center_x, scale_y * grad_center_y
        grad_z = gradients[i, 6] - (grad_x * slope_x + grad_y * slope_y)
        grad_limited_x = grad_limited_y = number(0)
        # Of the rotation matrix, one column per axis of the Gaussian.
        w00, w10, w20 = number(0), number(0), number(0)
        w01, w11, w21 = number(0), number(0), number(0)
        w02, w12, w22 = number(0), number(0), number(0)
        for j in range(3):
            s = scales[g, j]
            b0, b1, b2 = q[j] * s, q[3 + j] * s, q[6 + j] * s
            a2 = r20 * b0 + r21 * b1 + r22 * b2
            u = scale_x * (r00 * b0 + r01 * b1 + r02 * b2 - limited_x * a2)
            v = scale_y * (r10 * b0 + r11 * b1 + r12 * b2 - limited_y * a2)
            grad_u = two * grad_xx * u + grad_xy * v
            grad_v = two * grad_yy * v + grad_xy * u
            grad_z -= (grad_u * u + grad_v * v) / z
            grad_limited_x -= scale_x * a2 * grad_u
            grad_limited_y -= scale_y * a2 * grad_v
            t0, t1 = scale_x * grad_u, scale_y * grad_v
            t2 = -(limited_x * t0 + limited_y * t1)
            w0 = r00 * t0 + r10 * t1 + r20 * t2
            w1 = r01 * t0 + r11 * t1 + r21 * t2
            w2 = r02 * t0 + r12 * t1 + r22 * t2
            grad_scales[g, j] += w0 * q[j] + w1 * q[3 + j] + w2 * q[6 + j]
            if j == 0:
                w00, w10, w20 = w0 * s, w1 * s, w2 * s
            elif j == 1:
                w01, w11, w21 = w0 * s, w1 * s, w2 * s
            else:
                w02, w12, w22 = w0 * s, w1 * s, w2 * s
        if slope_x >= low_x and slope_x <= high_x:
            grad_x += grad_limited_x / z
            grad_z -= grad_limited_x * slope_x / z
        if slope_y >= low_y and slope_y <= high_y:
            grad_y += grad_limited_y / z
            grad_z -= grad_limited_y * slope_y / z
        grad_means[g, 0] += r00 * grad_x + r10 * grad_y + r20 * grad_z
        grad_means[g, 1] += r01 * grad_x + r11 * grad_y + r21 * grad_z
        grad_means[g, 2] += r02 * grad_x + r12 * grad_y + r22 * grad_z
        w, p, m, n, inverse = q[9], q[10], q[11], q[12], q[13]
        grad_w = two * (p * (w21 - w12) + m * (w02 - w20) + n * (w10 - w01))
        grad_p = two * (m * (w10 + w01) + n * (w20 + w02) + w * (w21 - w12)) - four * p * (w11 + w22)
        grad_m = two * (p * (w10 + w01) + n * (w21 + w12) + w * (w02 - w20)) - four * m * (w00 + w22)
        grad_n = two * (p * (w20 + w02) + m * (w21 + w12) + w * (w10 - w01)) - four * n * (w00 + w11)
        along = w * grad_w + p * grad_p + m * grad_m + n * grad_n
        grad_quaternions[g, 0] += (grad_w - along * w) * inverse
        grad_quaternions[g, 1] += (grad_p - along * p) * inverse
        grad_quaternions[g, 2] += (grad_m - along * m) * inverse
        grad_quaternions[g, 3] += (grad_n - along * n) * inverse
        grad_opacities[g] += gradients[i, 5]
        for k in range(grad_colors.shape[1]):
            grad_colors[g, k] += gradients[i, 7 + k]
