"""The images in the rows of tables are read as ranges of bytes, however a table was written."""

from __future__ import annotations

import pickle
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as arrow
import pytest
from pyarrow import parquet

from tests.images.source.tables.written import write_arrow, write_parquet
from vitcli.errors import ConfigError, DataError
from vitcli.images.decode.picture import UnreadableImage
from vitcli.images.source.tables import laid
from vitcli.images.source.tables.found import tables_of
from vitcli.images.source.tables.tables import NO_IMAGE, ONLY_A_PATH, Tables

# of all sizes, one twice, one empty: what stands between values must not be taken for one
CONTENTS = [
    bytes(random.Random(size).randbytes(size)) for size in (40, 3, 0, 70_000, 5, 2_000, 64, 65, 1_000_003, 8)
] * 2
WRITERS: dict[str, dict[str, Any]] = {
    "plain": {"compression": "none", "use_dictionary": False},
    "dictionary": {"compression": "none"},
    "version 2": {"compression": "none", "use_dictionary": False, "data_page_version": "2.0", "data_page_size": 1_000},
    "lengths first": {
        "compression": "none", "use_dictionary": False, "column_encoding": {"image.bytes": "DELTA_LENGTH_BYTE_ARRAY"},
    },
    "as datasets 5": {
        "compression": {"image.bytes": "none", "image.path": "snappy"}, "use_dictionary": False,
        "use_content_defined_chunking": True, "write_page_index": True,
    },
    "snappy": {"compression": "snappy"},
    "zstd": {"compression": "zstd"},
    "one group": {"compression": "none", "row_group_size": 100},
}  # fmt: skip


def rows(contents: list[bytes | None], kind: Any = None) -> Any:
    images = [{"bytes": content, "path": f"{number}.png"} for number, content in enumerate(contents)]
    struct = arrow.struct([("bytes", kind or arrow.binary()), ("path", arrow.string())])
    return arrow.table({"more": [b"x" * 50] * len(images), "image": arrow.array(images, struct)})


def opened(file: Path) -> Tables:
    return tables_of(str(file), "image", file.parent / "kept")


def contents(source: Tables) -> list[bytes]:
    return [source.read(path) for path in source.files()[0].paths]


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("kind", [arrow.binary(), arrow.large_binary()], ids=str)
def test_a_parquet_file_holds_the_images_that_were_written(tmp_path: Path, name: str, kind: Any) -> None:
    file = tmp_path / "t.parquet"
    write_parquet(file, rows(CONTENTS, kind), **WRITERS[name])
    source = opened(file)
    assert list(source.files()[0].paths) == [f"t.parquet/{row}/{row}.png" for row in range(len(CONTENTS))]
    assert contents(source) == CONTENTS
    # found anew from what was kept, and by other processes
    assert contents(opened(file)) == contents(pickle.loads(pickle.dumps(source))) == CONTENTS


def test_of_an_uncompressed_file_nothing_is_copied(tmp_path: Path) -> None:
    for name, compression in (("a", "none"), ("b", "snappy")):
        write_parquet(tmp_path / name / "t.parquet", rows(CONTENTS), compression=compression, use_dictionary=False)
    plain, packed = opened(tmp_path / "a/t.parquet"), opened(tmp_path / "b/t.parquet")
    assert plain.notices == []
    assert sum(file.stat().st_size for file in (tmp_path / "a/kept").iterdir()) < 5_000
    (copy,) = (tmp_path / "b/kept").iterdir()
    assert packed.notices == [f"images of {tmp_path}/b/t.parquet are compressed: laid out once in {copy} (2.1 MB)"]
    assert opened(tmp_path / "b/t.parquet").notices == []


@pytest.mark.parametrize("compression", [None, "lz4"])
@pytest.mark.parametrize("stream", [True, False])
def test_an_arrow_file_holds_the_images_that_were_written(
    tmp_path: Path, *, stream: bool, compression: str | None
) -> None:
    for kind in (arrow.binary(), arrow.large_binary()):
        file = tmp_path / f"{kind}.arrow"
        write_arrow(file, rows(CONTENTS, kind), stream=stream, compression=compression)
        source = opened(file)
        assert contents(source) == CONTENTS
        assert bool(source.notices) == (compression is not None)


def test_images_may_be_a_column_of_bytes(tmp_path: Path) -> None:
    write_parquet(tmp_path / "t.parquet", arrow.table({"image": CONTENTS}), compression="none")
    source = opened(tmp_path / "t.parquet")
    assert contents(source) == CONTENTS
    assert list(source.paths[:2]) == ["t.parquet/0", "t.parquet/1"]


def test_rows_without_an_image_are_left_out_and_counted(tmp_path: Path) -> None:
    images = [{"bytes": b"a", "path": None}, None, {"bytes": None, "path": None}, {"bytes": None, "path": "x.png"}]
    images += [{"bytes": b"b", "path": "b.png"}]
    for name, write in (("t.parquet", write_parquet), ("t.arrow", write_arrow)):
        write(tmp_path / name, arrow.table({"image": images}))  # type: ignore[operator]
        source = opened(tmp_path / name)
        assert source.files()[1] == Counter({NO_IMAGE: 2, ONLY_A_PATH: 1})
        assert list(source.files()[0].paths) == [f"{name}/0", f"{name}/4/b.png"]
        assert contents(source) == [b"a", b"b"]
        with pytest.raises(UnreadableImage, match="no such row"):
            source.read(f"{name}/1")


def test_paths_of_a_folder_stay_what_they_were(tmp_path: Path) -> None:
    images = [{"bytes": b"a", "path": "owl/1.png"}, {"bytes": b"b", "path": "cat/1.png"}]
    write_parquet(tmp_path / "t.parquet", arrow.table({"image": images}))
    source = opened(tmp_path / "t.parquet")
    assert list(source.paths) == ["owl/1.png", "cat/1.png"]
    assert source.read("cat/1.png") == b"b"


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../x.png", "owl/../../x.png", "a\\b.png", "owl//x.png", "C:/x/y.png", "owl/1.png", "o/\0.png"],
)
def test_hostile_and_repeated_paths_are_names_behind_the_row(tmp_path: Path, path: str) -> None:
    images = [{"bytes": b"a", "path": "owl/1.png"}, {"bytes": b"b", "path": path}]
    write_parquet(tmp_path / "t.parquet", arrow.table({"image": images}))
    first, second = opened(tmp_path / "t.parquet").paths
    assert first == "t.parquet/0/1.png"
    assert second.startswith("t.parquet/1/")
    assert not {"..", "", "."} & {*second.split("/")}
    assert "\0" not in second


def test_many_threads_read_at_once(tmp_path: Path) -> None:
    write_parquet(tmp_path / "t.parquet", rows(CONTENTS))
    source = opened(tmp_path / "t.parquet")
    paths = list(source.paths) * 20
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(source.read, paths)) == CONTENTS * 20


def test_a_table_that_was_written_anew_is_looked_at_anew(tmp_path: Path) -> None:
    for compression in ("none", "snappy"):
        file = tmp_path / "t.parquet"
        write_parquet(file, rows(CONTENTS), compression=compression)
        before = opened(file)
        write_parquet(file, rows([b"other", *CONTENTS[1:]]), compression=compression)
        after = opened(file)
        assert after.read(after.paths[0]) == b"other"
        # of each table, one version is kept
        assert len(list((tmp_path / "kept").iterdir())) == 1
        if compression == "none":
            # a worker process that is sent the earlier one
            sent = pickle.loads(pickle.dumps(before))
            with pytest.raises(UnreadableImage, match="was changed since it was listed"):
                sent.read(sent.paths[0])


@pytest.mark.parametrize("name", ["t.parquet", "t.arrow"])
def test_a_truncated_or_foreign_file_is_one_line(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    (write_parquet if name == "t.parquet" else write_arrow)(file, rows(CONTENTS))
    whole = file.read_bytes()
    for content in (whole[: len(whole) // 2], whole[:10], b"", b"no table"):
        file.write_bytes(content)
        with pytest.raises(DataError, match=rf"^data.root \S+{name}: cannot be read as (Parquet|Arrow) \(.+\); down"):
            opened(file)


def test_a_damaged_page_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    file = tmp_path / "t.parquet"
    write_parquet(file, rows(CONTENTS), compression="snappy")
    chunk = parquet.ParquetFile(file).metadata.row_group(0).column(1)
    content = bytearray(file.read_bytes())
    content[chunk.data_page_offset : chunk.data_page_offset + 4_000] = b"\xff" * 4_000
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"^data.root \S+t.parquet: cannot be read as Parquet"):
        opened(file)
    assert list((tmp_path / "kept").iterdir()) == []


def test_what_expands_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(laid, "GROWTH_FROM_BYTES", 0)
    write_parquet(tmp_path / "t.parquet", rows([b"\0" * 200_000] * 50), compression="snappy")
    with pytest.raises(DataError, match="expands more than 100 times; download it again"):
        opened(tmp_path / "t.parquet")


def test_too_little_room_is_told_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_parquet(tmp_path / "t.parquet", rows(CONTENTS), compression="snappy")
    monkeypatch.setattr(laid, "RESERVE_BYTES", 2**62)
    with pytest.raises(ConfigError, match=r"^data.cache_dir \S+kept: the images of \S+t.parquet are compressed"):
        opened(tmp_path / "t.parquet")
    assert list((tmp_path / "kept").iterdir()) == []


def test_every_range_is_the_bytes_of_its_row_whatever_lies_between(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    # bytes that look like the lengths and headers between them
    hostile = [bytes(rng.integers(0, 2, int(size), dtype=np.uint8)) for size in rng.integers(0, 40, 500)]
    write_parquet(tmp_path / "t.parquet", rows(hostile), compression="none", use_dictionary=False, data_page_size=64)
    assert contents(opened(tmp_path / "t.parquet")) == hostile
