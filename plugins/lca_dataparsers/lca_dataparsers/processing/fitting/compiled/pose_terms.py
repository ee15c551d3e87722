"""Terms about the pose: each adds its gradient (times ``factor``) and returns its value. See the functions of the same
names in :mod:`..terms` for what they mean.
"""

import numpy as np

from lca_shared.rendering.numba_kernel import kernel


@kernel(nogil=True)
def body_world(
    points: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray,
    sigma: float,
    cutoff: float,
    least: float,
    most: float,
    factor: float,
    d_points: np.ndarray,
) -> float:
    """``target`` [T, L, 3] of the first L points: the fit's world axes, its weighted mean at the origin; ``weight``
    [T, L]; it is scaled per frame by ``least`` to ``most``."""
    value, frames, count = 0.0, len(target), target.shape[1]
    pull = np.zeros((count, 3))
    for t in range(frames):
        total, middle = 0.0, np.zeros(3)
        for p in range(count):
            total += weight[t, p]
            for i in range(3):
                middle[i] += weight[t, p] * points[t, p, i]
        middle /= total
        both, own = 0.0, 0.0
        for p in range(count):
            for i in range(3):
                both += weight[t, p] * (points[t, p, i] - middle[i]) * target[t, p, i]
                own += weight[t, p] * target[t, p, i] ** 2
        scale = min(max(both / max(own, 1e-4), least), most)
        whole = np.zeros(3)
        for p in range(count):
            squared = 0.0
            for i in range(3):
                pull[p, i] = (points[t, p, i] - middle[i] - scale * target[t, p, i]) / sigma
                squared += pull[p, i] ** 2
            damp = 1.0 / (1.0 + squared / cutoff**2)
            value += weight[t, p] * squared * damp / frames
            for i in range(3):
                pull[p, i] *= factor * weight[t, p] * damp * damp * 2.0 / (sigma * frames)
                whole[i] += pull[p, i]
        for p in range(count):
            for i in range(3):
                d_points[t, p, i] += pull[p, i] - weight[t, p] / total * whole[i]
    return value


@kernel(nogil=True)
def angles(
    rotations: np.ndarray,
    axes: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    stiffness: np.ndarray,
    held: np.ndarray,
    limit_stiffness: float,
    prior_factor: float,
    limit_factor: float,
    d_rotations: np.ndarray,
) -> tuple[float, float]:
    """Values of ``pose_prior`` and ``joint_limits``. ``axes`` [D, 3, 3], ``low``, ``high``, ``stiffness`` [D, 3] are
    ``LimitTable``'s; ``held`` [T, D] says how much stiffer each joint is in each frame."""
    prior, limits, frames = 0.0, 0.0, len(rotations)
    for t in range(frames):
        for d in range(rotations.shape[1]):
            for k in range(3):
                angle = 0.0
                for i in range(3):
                    angle += axes[d, k, i] * rotations[t, d, i]
                beyond = max(angle - high[d, k], 0.0) - max(low[d, k] - angle, 0.0)
                stiff = held[t, d] * stiffness[d, k]
                prior += stiff * angle * angle / frames
                limits += limit_stiffness * beyond * beyond / frames
                pull = 2.0 * (prior_factor * stiff * angle + limit_factor * limit_stiffness * beyond) / frames
                for i in range(3):
                    d_rotations[t, d, i] += pull * axes[d, k, i]
    return prior, limits


@kernel(nogil=True)
def smoothness(
    times: np.ndarray,
    rotations: np.ndarray,
    translation: np.ndarray,
    placed: np.ndarray,
    reference: float,
    longest: float,
    joint_sigma: float,
    root_sigma: np.ndarray,
    root_cutoff: float,
    rotation_sigma: float,
    factor: float,
    d_rotations: np.ndarray,
    d_translation: np.ndarray,
    d_placed: np.ndarray,
) -> float:
    """Of frames in order; constants are those of the torch term."""
    frames, joints = placed.shape[:2]
    value = 0.0
    step = np.empty(frames - 1)
    near = np.empty(frames - 1)
    pace = np.empty(frames - 1)
    for s in range(frames - 1):
        step[s] = times[s + 1] - times[s]
        near[s] = 1.0 if 0.0 < step[s] < longest else 0.0
        pace[s] = min(max(step[s] / reference, 1.0), longest / reference)
        step[s] = max(step[s], 1e-6)
        share = near[s] / (rotation_sigma**2 * pace[s] * (frames - 1))
        if share == 0.0:
            continue
        for d in range(rotations.shape[1]):
            for i in range(3):
                moved = rotations[s + 1, d, i] - rotations[s, d, i]
                value += share * moved * moved
                pull = factor * share * 2.0 * moved
                d_rotations[s + 1, d, i] += pull
                d_rotations[s, d, i] -= pull
    for c in range(1, frames - 1):
        if near[c] * near[c - 1] == 0.0:
            continue
        slow = max(pace[c], pace[c - 1]) ** 2
        mean = 0.5 * (step[c] + step[c - 1])
        after, before = mean / step[c], mean / step[c - 1]
        share = 2.0 / ((frames - 2) * joints * (joint_sigma * slow) ** 2)
        root = np.zeros(3)
        for i in range(3):
            root[i] = (
                after * translation[c + 1, i] - (after + before) * translation[c, i] + before * translation[c - 1, i]
            )
        for a in range(joints):
            for i in range(3):
                moved = after * placed[c + 1, a, i] - (after + before) * placed[c, a, i] + before * placed[c - 1, a, i]
                moved -= root[i]
                value += share * moved * moved
                pull = factor * share * 2.0 * moved
                d_placed[c + 1, a, i] += after * pull
                d_placed[c, a, i] -= (after + before) * pull
                d_placed[c - 1, a, i] += before * pull
                d_translation[c + 1, i] -= after * pull
                d_translation[c, i] += (after + before) * pull
                d_translation[c - 1, i] -= before * pull
        squared = 0.0
        for i in range(3):
            squared += (root[i] / (root_sigma[i] * slow)) ** 2
        damp = 1.0 / (1.0 + squared / root_cutoff**2)
        value += 0.5 * squared * damp / (frames - 2)
        for i in range(3):
            pull = factor * damp * damp * root[i] / (root_sigma[i] * slow) ** 2 / (frames - 2)
            d_translation[c + 1, i] += after * pull
            d_translation[c, i] -= (after + before) * pull
            d_translation[c - 1, i] += before * pull
    return value


@kernel(nogil=True)
def contact(
    times: np.ndarray,
    points: np.ndarray,
    feet: np.ndarray,
    still: np.ndarray,
    reference: float,
    longest: float,
    slide_sigma: np.ndarray,
    slide_cutoff: float,
    ground_sigma: float,
    ground_cutoff: float,
    level_spread: float,
    factor: float,
    d_points: np.ndarray,
) -> float:
    """``feet`` [2, N] are the points of each foot, ``still`` [T, 2]; constants are those of the torch term."""
    frames, count = len(points), feet.shape[1]
    value = 0.0
    for s in range(frames - 1):
        step = times[s + 1] - times[s]
        if not 0.0 < step < longest:
            continue
        pace = min(max(step / reference, 1.0), longest / reference)
        for f in range(2):
            share = min(still[s, f], still[s + 1, f]) / (count * (frames - 1))
            if share == 0.0:
                continue
            for n in range(count):
                p, squared = feet[f, n], 0.0
                for i in range(3):
                    squared += ((points[s + 1, p, i] - points[s, p, i]) / (slide_sigma[i] * pace)) ** 2
                damp = 1.0 / (1.0 + squared / slide_cutoff**2)
                value += share * squared * damp
                for i in range(3):
                    sigma = slide_sigma[i] * pace
                    slowed = factor * share * damp * damp * 2.0 * (points[s + 1, p, i] - points[s, p, i]) / sigma**2
                    d_points[s + 1, p, i] += slowed
                    d_points[s, p, i] -= slowed
    total, middle, level = 0.0, 0.0, 0.0
    for t in range(frames):
        for f in range(2):
            for n in range(count):
                total += still[t, f]
                middle += still[t, f] * points[t, feet[f, n], 1]
                level += still[t, f] * points[t, feet[f, n], 2]
    total = max(total, 1e-6)
    middle, level = middle / total, level / total
    both, own = 0.0, level_spread**2 * total
    for t in range(frames):
        for f in range(2):
            for n in range(count):
                depth = points[t, feet[f, n], 1] - middle
                both += still[t, f] * depth * (points[t, feet[f, n], 2] - level)
                own += still[t, f] * depth * depth
    slope = both / own
    d_level, d_middle, d_slope = 0.0, 0.0, 0.0
    pull = np.zeros((frames, 2, count))
    for t in range(frames):
        for f in range(2):
            share = still[t, f] / (count * frames)
            for n in range(count):
                p = feet[f, n]
                depth = points[t, p, 1] - middle
                off = (points[t, p, 2] - level - slope * depth) / ground_sigma
                damp = 1.0 / (1.0 + off * off / ground_cutoff**2)
                value += share * off * off * damp
                pull[t, f, n] = factor * share * damp * damp * 2.0 * off / ground_sigma
                d_level -= pull[t, f, n]
                d_middle += slope * pull[t, f, n]
                d_slope -= depth * pull[t, f, n]
    for t in range(frames):
        for f in range(2):
            share = still[t, f]
            for n in range(count):
                p = feet[f, n]
                depth, height = points[t, p, 1] - middle, points[t, p, 2] - level
                d_points[t, p, 2] += pull[t, f, n] + share * (d_level / total + d_slope * depth / own)
                d_points[t, p, 1] += share * (d_middle / total + d_slope * (height - 2.0 * slope * depth) / own)
                d_points[t, p, 1] -= slope * pull[t, f, n]
    return value
