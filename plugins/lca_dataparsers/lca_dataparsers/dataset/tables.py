"""Reading ``frames.parquet``."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lca_dataparsers.dataset.frames import FrameTable
from lca_dataparsers.dataset.schema import (
    ARRAY_FIELDS,
    ROW_FIELDS,
    VISIBLE_FIELD,
    DatasetInfo,
    array_shapes,
    frame_schema,
)
from lca_shared.errors import SchemaError, UserError


def read_frame_table(path: Path, info: DatasetInfo) -> FrameTable:
    """Read a ``frames.parquet``.

    Raises:
        SchemaError: columns are missing or have other types or sizes.
        UserError: the file is missing or broken.
    """
    try:
        with pq.ParquetFile(path) as file:  # pq.read_table imports pyarrow.dataset, which takes longer than reading
            table = file.read()
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist. Make the subject again.") from error
    except (OSError, ValueError) as error:  # pyarrow's ArrowInvalid is a ValueError
        raise UserError(f"{path} is not a readable Parquet file ({error}). Make the subject again.") from error
    return frame_table(table, str(path), info)


def frame_table(table: pa.Table, path: str, info: DatasetInfo) -> FrameTable:
    """An Arrow table as a :class:`FrameTable`; columns that are not in the schema are left out.

    Raises:
        SchemaError: columns are missing or have other types or sizes. The message names ``path``.
    """
    schema = frame_schema(VISIBLE_FIELD in table.column_names)
    wrong = [f.name for f in schema if f.name not in table.column_names or table.schema.field(f.name).type != f.type]
    if wrong:
        raise SchemaError(f"{path} lacks the columns {', '.join(wrong)} (or they have other types). Make it again.")
    shapes = array_shapes(info)
    columns: dict[str, np.ndarray] = {}
    known = VISIBLE_FIELD in table.column_names
    for name in (*ROW_FIELDS, VISIBLE_FIELD) if known else ROW_FIELDS:
        column = table.column(name).combine_chunks()
        if name in ARRAY_FIELDS or name == VISIBLE_FIELD:
            shape = (len(table), *shapes[name])
            plain = column.offset == 0 and column.null_count == 0 and len(column.values) == np.prod(shape)
            whole = column.values if plain else column.flatten()  # the latter loads pyarrow.compute
            flat = whole.to_numpy(zero_copy_only=False)
            if flat.size != int(np.prod(shape)):
                raise SchemaError(f"{path}: column {name} does not hold {shape} numbers. Make the subject again.")
            columns[name] = flat.reshape(shape).astype(np.float32)
        else:
            columns[name] = column.to_numpy(zero_copy_only=False)
    return FrameTable(columns)
