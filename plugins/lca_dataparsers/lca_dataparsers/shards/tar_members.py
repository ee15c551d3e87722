"""Tar members at known places: what a block looks like inside a shard."""

import io
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq

from lca_dataparsers.dataset.lights import LIGHTS_FILE
from lca_dataparsers.dataset.reader import Subject
from lca_dataparsers.dataset.schema import FRAMES_FILE, SUBJECT_FILE, garment_path
from lca_dataparsers.shards.format import LIGHTS_METADATA, SUBJECT_METADATA

PICTURES = ("image", "mask")
"""Columns that name a row's pictures."""
GARMENT = "garment"
"""The picture after those, of rows whose loose garment has a mask; its path follows from the mask's."""
NO_GARMENT = -1
"""Size of that picture of a row that has none."""


def member(name: str, size: int) -> tarfile.TarInfo:
    """A plain file's header; the same content gives the same bytes whoever writes it, whenever."""
    header = tarfile.TarInfo(name)
    header.size, header.mtime, header.mode = size, 0, 0o644
    return header


def header_size(name: str, size: int) -> int:
    """Bytes of a member's header (names over 100 bytes take more than one block)."""
    return len(member(name, size).tobuf(tarfile.PAX_FORMAT))


def padded(size: int) -> int:
    """Bytes that ``size`` bytes of content take in a tar file."""
    return -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE


def append(tar: tarfile.TarFile, name: str, content: bytes) -> int:
    """Write a member; the place of its content in the tar file."""
    tar.addfile(member(name, len(content)), io.BytesIO(content))
    return tar.offset - padded(len(content))


def append_block(tar: tarfile.TarFile, subject: Subject, number: int, rows: list[int]) -> dict[str, int]:
    """Write some rows of a subject: ``<id>/<number>.rows.parquet``, then images, masks and masks of garments in turn.

    The table has the columns of ``frames.parquet``, the rows' numbers there (``row``), and place and size of each
    picture (``image_offset``, ``image_size``, ``mask_offset``, ``mask_size``; bytes from the end of the table's
    member; if any row has a garment also ``garment_offset``, ``garment_size``, the size -1 for none). ``subject.json``
    is in its metadata, and ``lights.json`` if there is one.

    Returns:
        ``table``, ``table_size``, ``pictures`` and ``size`` as in :data:`~lca_dataparsers.shards.format.BLOCK`.

    Raises:
        UserError: a file of the subject cannot be read.
    """
    key = f"{subject.id}/{number:05d}"
    pictures: list[tuple[str, bytes]] = []
    columns = (*PICTURES, GARMENT) if any(subject.garment_path(row).exists() for row in rows) else PICTURES
    places: dict[str, list[int]] = {f"{column}_{what}": [] for column in columns for what in ("offset", "size")}
    end = 0
    for ordinal, row in enumerate(rows):
        for column in columns:
            content = subject.garment_bytes(row) if column == GARMENT else subject.picture_bytes(row, column)
            if content is None:
                places[f"{column}_offset"].append(end)
                places[f"{column}_size"].append(NO_GARMENT)
                continue
            stored = (
                garment_path(str(subject.frames["mask"][row])) if column == GARMENT else subject.frames[column][row]
            )
            suffix = str(stored).rpartition(".")[2]
            name = f"{key}.{ordinal:04d}.{column}.{suffix}"
            pictures.append((name, content))
            places[f"{column}_offset"].append(end + header_size(name, len(content)))
            places[f"{column}_size"].append(len(content))
            end += header_size(name, len(content)) + padded(len(content))
    table = pq.read_table(subject.folder / FRAMES_FILE).take(rows)
    table = table.append_column("row", pa.array(rows, pa.int64()))
    for name, values in places.items():
        table = table.append_column(name, pa.array(values, pa.int64()))
    metadata = {**(table.schema.metadata or {}), SUBJECT_METADATA: (subject.folder / SUBJECT_FILE).read_bytes()}
    if (subject.folder / LIGHTS_FILE).exists():
        metadata[LIGHTS_METADATA] = (subject.folder / LIGHTS_FILE).read_bytes()
    encoded = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(metadata), encoded)
    place = append(tar, f"{key}.rows.parquet", encoded.getvalue())
    start = tar.offset
    for name, content in pictures:
        append(tar, name, content)
    if tar.offset - start != end:
        raise RuntimeError(f"the block {key} takes {tar.offset - start} bytes, not {end} as its table says")
    return {"table": place, "table_size": len(encoded.getvalue()), "pictures": start, "size": end}
