"""Figures as a page, people as a sheet."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from genlca_method.evaluation.looks import Look
from lca_shared.tensors import Float, Tensor


def table(report: Mapping[str, Any]) -> str:
    """Markdown."""
    lines = [
        f"{report['people']} held-out captions, {report['generated']} people generated; judges learnt from "
        f"{report['judged_from']} training people.",
        "",
        "| attribute | view | generated | chance | held-out people's own tokens | the same through latents |",
        "|---|---|---|---|---|---|",
    ]
    for attribute, views in report["attributes"].items():
        for view, found in views.items():
            made, real = found["made"], found["real"]
            lines.append(
                f"| {attribute} | {view} | {made['accuracy']:.2f} ± {made['error']:.2f} | {made['chance']:.2f} | "
                f"{real['accuracy']:.2f} | {found['through']['accuracy']:.2f} |"
            )
    lines += ["", "Accuracy ± standard error, as if people were independent of each other.", ""]
    spread = report["diversity"]
    if "same prompt" in spread:
        lines.append(f"Distance between two people of one prompt: {spread['same prompt']:.3f}.")
    lines.append(
        f"Distance between any two generated: {spread['all']:.3f}; of no prompt, without guidance: "
        f"{spread['no prompt']:.3f}; between two real: {spread['real']:.3f}."
    )
    if found := report.get("distances"):
        for view in ("front", "back"):
            lines.append(
                f"{view}: FID {found[view]['fid']:.2f}, KID {found[view]['kid']:.4f} (features: {found['features']}; "
                f"{found['made']} generated, {found['real']} real avatars)."
            )
    if score := report.get("clip_score"):
        lines.append(f"CLIP score: {score['made']:.1f}; of real avatars: {score['real']:.1f} ({score['model']}).")
    return "\n".join(lines) + "\n"


def sheet(rows: Sequence[tuple[Look, Sequence[Look]]]) -> Float[Tensor, "height width 3"]:
    """A row a prompt: the avatar of the person whose caption it is, then those generated; each in front and back."""
    found = [torch.cat([picture for one in (real, *made) for picture in one.pictures], dim=-1) for real, made in rows]
    return torch.cat(found, dim=-2).movedim(0, -1)
