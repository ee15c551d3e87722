"""A row of a sheet: what the model saw, what it should show, what it shows, and where it is wrong."""

from lca_method.batch import SubjectBatch
from lca_method.demo.contact_sheet import Row
from lca_method.evaluation import person_mask
from lca_method.trained_network import TrainedNetwork

HEADINGS = ("reference views", "target", "render", "error x 3")


def side_by_side(model: TrainedNetwork, batch: SubjectBatch, caption: str, references: int = 4) -> Row:
    """The first subject and target of a batch; the error is the absolute difference on person pixels, tripled."""
    background, mask = model.background_color[:, None, None], person_mask(batch)
    seen = batch.references.masks[0, :references]
    shown = batch.references.images[0, :references] * seen + background * (1 - seen)
    truth = batch.targets.images[0, 0]
    render = model.picture(model.encode(batch), batch)
    error = 3 * (render - truth).abs() * mask
    return Row((tuple(shown), (truth * mask + background * (1 - mask),), (render,), (error.clamp(0, 1),)), caption)
