"""Line drawings of parts of a body: made from pictures for training, drawn by people for generating."""

import cv2
import numpy as np
import torch

from lca_shared.tensors import Float, Tensor

_WORKING_SIZE = 128
"""Pixels at which lines are found, whatever the picture's size: they are as thick in all."""
_BLUR = 1.5
_LOW, _HIGH = 40, 110
"""Canny's thresholds on 0..255: outlines, seams and hems, not folds."""


def scribble(picture: Float[Tensor, "3 h w"]) -> Float[Tensor, "3 h w"]:
    """Black lines on white where a square picture (sRGB 0..1) changes, in any of its channels (Canny 1986)."""
    pixels = (picture.detach().cpu().clamp(0, 1) * 255).round().byte().movedim(0, -1).numpy()
    large = cv2.resize(np.ascontiguousarray(pixels), (_WORKING_SIZE, _WORKING_SIZE), interpolation=cv2.INTER_CUBIC)
    smooth = cv2.GaussianBlur(large, (0, 0), _BLUR)
    lines = np.max([cv2.Canny(np.ascontiguousarray(smooth[..., c]), _LOW, _HIGH) for c in range(3)], axis=0)
    thick = cv2.dilate(lines, np.ones((3, 3), np.uint8))
    small = cv2.resize(thick, (picture.shape[2], picture.shape[1]), interpolation=cv2.INTER_AREA)
    return (1 - torch.from_numpy(small).float() / 255).expand(3, -1, -1).contiguous()
