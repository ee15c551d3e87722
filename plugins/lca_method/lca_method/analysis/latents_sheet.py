"""The picture of ``lca analyze latents``: a dot a person on the first two principal components."""

from collections.abc import Sequence
from pathlib import Path

from lca_shared.storage import atomic_path
from lca_shared.tensors import Float, Tensor

_COLORS = ("#2b6cb0", "#dd6b20", "#2f855a", "#805ad5", "#b83280", "#718096")
_MARKERS = ("o", "^", "s", "D", "v", "P")


def draw_latents(
    path: Path,
    coordinates: Float[Tensor, "n 2"],
    shares: Float[Tensor, "2"],
    kinds: Sequence[str],
    datasets: Sequence[str],
    title: str,
) -> None:
    """Write a picture: colour by kind of dataset (by dataset, where all are of one kind), marker by dataset.

    Args:
        path: PNG, SVG or PDF by its suffix.
        coordinates: of each person.
        shares: of the variance on the two axes.
        kinds: ``wild`` or ``studio``, of each person's dataset.
        datasets: name of each person's dataset.
        title: above the picture.

    Raises:
        UserError: the folder cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # pyplot would look for a screen
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 5.2), dpi=160, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    groups = sorted(set(zip(kinds, datasets)))
    several = len(set(kinds)) > 1
    colored = sorted(set(kinds)) if several else sorted(set(datasets))
    names = sorted(set(datasets))
    for kind, dataset in groups:
        own = [i for i in range(len(kinds)) if (kinds[i], datasets[i]) == (kind, dataset)]
        color = _COLORS[colored.index(kind if several else dataset) % len(_COLORS)]
        marker = _MARKERS[names.index(dataset) % len(_MARKERS)]
        places = coordinates[own].cpu().numpy()
        label = f"{kind}: {dataset} ({len(own)})"
        axes.scatter(*places.T, s=34, c=color, marker=marker, alpha=0.75, linewidths=0, label=label)
    axes.axhline(0, color="#dddddd", linewidth=0.8, zorder=0)
    axes.axvline(0, color="#dddddd", linewidth=0.8, zorder=0)
    axes.set_xlabel(f"first component ({float(shares[0]):.0%} of the variance)")
    axes.set_ylabel(f"second component ({float(shares[1]):.0%} of the variance)")
    axes.set_title(title, fontsize=10)
    axes.legend(fontsize=8, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    with atomic_path(path) as temporary:
        figure.savefig(temporary)
