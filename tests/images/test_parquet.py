"""Images inside Parquet files, as Hugging Face writes them."""

from pathlib import Path
from urllib.parse import urlencode

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mmrl.catalog.reasons import Reason
from mmrl.images.image import Refused
from mmrl.images.parquet import image_bytes


@pytest.mark.parametrize("plain", [True, False])
def test_each_rows_image_is_read_in_any_order(tmp_path: Path, plain: bool) -> None:
    path = tmp_path / "posts.parquet"
    images = [b"image %d" % row for row in range(500)]
    values = images if plain else [{"bytes": data, "path": None} for data in images]
    kind = pa.binary() if plain else pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table({"image": pa.array([*values[:-1], None], kind)})
    pq.write_table(table, path, row_group_size=150)

    def read(row: int, size: int = path.stat().st_size) -> bytes | Refused:
        return image_bytes(path, urlencode({"column": "image", "row": row, "size": size}))

    for row in (0, 1, 140, 151, 149, 3, 498, 0):
        assert read(row) == images[row]
    for refused in (read(499), read(500), read(3, size=7)):
        assert isinstance(refused, Refused)
        assert refused.reason == Reason.FILE_MISSING
