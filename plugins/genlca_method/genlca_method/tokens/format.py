"""Token shards on disk: ``tokens.json`` and WebDataset tar files.

A sample is one person seen in some of their pictures. Its members have the sample's key before the first dot:
``KEY.safetensors`` (``vectors`` [anchors, channels] float16, ``counts`` [anchors] uint8: views that show an anchor,
``soft_counts`` [anchors] float16, ``shape`` [coefficients] float32), ``KEY.json`` (:class:`SampleInfo`), and
``KEY.PART.jpg`` for each part of the body of which there is a picture.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from genlca_method.tokens.layout import TokenLayout
from genlca_method.visibility.anchor_views import VisibilityConfig
from lca_shared.errors import UserError
from lca_shared.storage import check_schema, read_json, write_json

TOKENS_FILE = "tokens.json"
SCHEMA = ("tokens", 1)


@dataclass(frozen=True)
class SampleInfo:
    """``KEY.json``."""

    subject: str
    split: str
    rows: tuple[int, ...]
    """Rows of the dataset that were looked at."""
    caption: str
    caption_by: str
    parts: tuple[str, ...]
    """Of which there are pictures."""
    attributes: Mapping[str, Any]
    """Of synthetic people; else empty."""
    source: str
    licence: str
    """Of the pictures."""


@dataclass(frozen=True)
class TokensInfo:
    """``tokens.json``."""

    layout: TokenLayout
    body_model: str
    shape_names: tuple[str, ...]
    checkpoint: Mapping[str, Any]
    """``method``, ``steps``, ``sha256`` of the LCA model."""
    visibility: VisibilityConfig
    settings: Mapping[str, Any]
    """Of the run: data, references, draws, sizes, seed, captioner."""
    shards: tuple[str, ...] = ()
    """Whole ones, in order."""
    samples: tuple[int, ...] = ()
    """In each shard."""
    complete: bool = field(default=False)
    """False while the run that writes them goes on."""


def write_tokens_info(root: Path, info: TokensInfo) -> None:
    """Write ``tokens.json`` atomically."""
    write_json(root / TOKENS_FILE, {"kind_of_file": SCHEMA[0], "schema_version": SCHEMA[1], **asdict(info)})


def read_tokens_info(root: Path) -> TokensInfo:
    """Read ``tokens.json``.

    Raises:
        UserError, SchemaError: it is missing, broken or another release's.
    """
    if not (root / TOKENS_FILE).is_file():
        raise UserError(f"{root} holds no tokens: there is no {TOKENS_FILE}. Write them with `genlca tokenize`.")
    content = read_json(root / TOKENS_FILE)
    check_schema(content, root / TOKENS_FILE, *SCHEMA)
    try:
        values = {f.name: content[f.name] for f in fields(TokensInfo)}
        values |= {name: tuple(values[name]) for name in ("shape_names", "shards", "samples")}
        values |= {"layout": TokenLayout(**values["layout"]), "visibility": VisibilityConfig(**values["visibility"])}
        return TokensInfo(**values)
    except (KeyError, TypeError) as error:
        raise UserError(f"{root / TOKENS_FILE} is broken ({error}). Write the tokens again.") from error
