"""Cats and dogs are found in every layout in which these photos are handed around."""

from __future__ import annotations

import hashlib
import http.server
import io
import os
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from vitcli.data.layouts.cats_dogs import CatsDogsData
from vitcli.errors import DataError
from vitcli.images.index.listing import Listing

FLAT = [f"{name}.{number}.jpg" for name in ("cat", "dog") for number in range(10)]


def labels_by_name(data: CatsDogsData, listing: Listing) -> set[tuple[str, str]]:
    classes = data.classes or ("cat", "dog")
    return {
        (os.path.basename(path)[:3].lower(), classes[label])
        for path, label in zip(listing.paths, listing.labels.tolist(), strict=True)
    }


def write_zip(file: Path, members: dict[str, bytes], *, link: bool = False) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in members.items():
            member = zipfile.ZipInfo(name)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = (0o120777 if link else 0o100644) << 16
            opened.writestr(member, content)


def jpeg() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (6, 4), "red").save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.mark.parametrize("folder", ["", "train/"])
def test_flat_names_are_divided_and_unlabelled_test_photos_left_alone(
    tmp_path: Path, write_images: Callable[..., None], folder: str
) -> None:
    write_images(*(folder + name for name in FLAT), "test/1.jpg", "test/2.jpg")
    data = CatsDogsData(str(tmp_path), val_fraction=0.2, test_fraction=0.1)
    train, val, test = (data.listing(split) for split in ("train", "val", "test"))
    assert [len(listing) for listing in (train, val, test)] == [14, 4, 2]
    assert sorted([*train.paths, *val.paths, *test.paths]) == sorted(folder + name for name in FLAT)
    assert labels_by_name(data, train) == {("cat", "cat"), ("dog", "dog")}
    assert data.find_classes() == ("cat", "dog")


def test_labels_follow_the_order_of_the_models_classes(tmp_path: Path, write_images: Callable[..., None]) -> None:
    write_images(*FLAT)
    data = CatsDogsData(str(tmp_path), classes=("dog", "cat"))
    assert labels_by_name(data, data.listing("train")) == {("cat", "cat"), ("dog", "dog")}
    assert data.listing("train").labels[0] == 1


@pytest.mark.parametrize("layout", ["cat|dog", "Cats|Dogs", "PetImages/Cat|PetImages/Dog"])
def test_class_folders_are_found_by_any_of_their_names(
    tmp_path: Path, write_images: Callable[..., None], layout: str
) -> None:
    cats, dogs = layout.split("|")
    write_images(*(f"{cats}/{number}.jpg" for number in range(10)), *(f"{dogs}/{number}.jpg" for number in range(10)))
    (tmp_path / cats / "Thumbs.db").touch()
    data = CatsDogsData(str(tmp_path))
    train = data.listing("train")
    assert [label for path, label in zip(train.paths, train.labels, strict=True) if path.startswith(cats)] == [0] * 8
    assert train.labels.tolist().count(1) == 8
    assert data.notices == [f"left out of {tmp_path}: 1 (no image by its extension '.db')"]


def test_split_folders_are_taken_as_they_are(tmp_path: Path, write_images: Callable[..., None]) -> None:
    write_images("Train/cats/1.jpg", "Train/dogs/1.jpg", "valid/cat.0.jpg", "valid/dog.0.jpg")
    data = CatsDogsData(str(tmp_path))
    assert data.listing("val").paths == ["valid/cat.0.jpg", "valid/dog.0.jpg"]
    assert data.listing("test").paths == data.listing("val").paths
    assert data.notices == ["no test images: testing on val, whose images have already chosen the best checkpoint"]


@pytest.mark.parametrize("given", ["folder", "zip"])
def test_kaggles_zip_is_read_in_place(tmp_path: Path, given: str) -> None:
    write_zip(tmp_path / "train.zip", {f"train/{name}": jpeg() for name in FLAT})
    write_zip(tmp_path / "test.zip", {"test/1.jpg": jpeg()})
    root = str(tmp_path if given == "folder" else tmp_path / "train.zip")
    data = CatsDogsData(root, val_fraction=0.2, test_fraction=0.1)
    data.prepare_data()
    assert len(data.listing("train")) == 14
    assert (data.listing("train").open(0).height, data.listing("train").open(0).width) == (4, 6)
    assert sorted(os.listdir(tmp_path)) == ["test.zip", "train.zip"]


def test_missing_animals_and_missing_folders_are_named(tmp_path: Path, write_images: Callable[..., None]) -> None:
    with pytest.raises(DataError, match=r"no cat and no dog for train; expected cat.0.jpg .*; --data.download true"):
        CatsDogsData(str(tmp_path)).list_split("train")
    write_images("cat.0.jpg", "cat.1.jpg")
    with pytest.raises(DataError, match=r"^data.root \S+: no dog for train; expected cat.0.jpg and dog.0.jpg"):
        CatsDogsData(str(tmp_path)).list_split("train")
    for ask in (CatsDogsData(str(tmp_path / "gone")).find_classes, CatsDogsData(str(tmp_path / "gone")).prepare_data):
        with pytest.raises(DataError, match=r"^data.root \S+/gone: no such folder"):
            ask()


def test_a_model_without_cats_is_named(tmp_path: Path, write_images: Callable[..., None]) -> None:
    write_images(*FLAT)
    with pytest.raises(DataError, match=r"'cat' is none of the model's classes \['owl', 'dog'\]; "):
        CatsDogsData(str(tmp_path), classes=("owl", "dog")).list_split("test")


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def pets_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[http.server.ThreadingHTTPServer]:
    """A server on this machine that stands in for Oxford's, with tiny archives of the same form."""
    from torchvision.datasets import OxfordIIITPet  # type: ignore[import-untyped]

    served = tmp_path / "served"
    served.mkdir()
    lists = {
        "trainval": [("Abyssinian_1", 1, 1), ("Abyssinian_2", 1, 1), ("beagle_1", 5, 2), ("beagle_2", 5, 2)],
        "test": [("Abyssinian_100", 1, 1), ("beagle_100", 5, 2)],
    }
    files = {
        f"annotations/{name}.txt": "".join(f"{i} {c} {b} 1\n" for i, c, b in rows).encode()
        for name, rows in lists.items()
    }
    files |= {f"images/{image}.jpg": jpeg() for rows in lists.values() for image, _, _ in rows}
    resources = []
    for name in ("images", "annotations"):
        with tarfile.open(served / f"{name}.tar.gz", "w:gz") as tar:
            for path, content in files.items():
                if path.startswith(name):
                    member = tarfile.TarInfo(path)
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))
        resources.append((f"{name}.tar.gz", hashlib.md5((served / f"{name}.tar.gz").read_bytes()).hexdigest()))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(served)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    base = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(OxfordIIITPet, "_RESOURCES", tuple((f"{base}/{name}", md5) for name, md5 in resources))
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_pets_are_downloaded_once_with_their_own_test_list(
    tmp_path: Path, pets_server: http.server.ThreadingHTTPServer
) -> None:
    root = str(tmp_path / "pets")
    data = CatsDogsData(root, download=True, val_fraction=0.5)
    data.prepare_data()
    assert data.listing("test").paths == [f"oxford-iiit-pet/images/{name}_100.jpg" for name in ("Abyssinian", "beagle")]
    assert data.listing("test").labels.tolist() == [0, 1]
    assert len(data.listing("train")) == len(data.listing("val")) == 2
    assert (data.listing("val").open(0).height, data.listing("val").open(0).width) == (4, 6)
    pets_server.shutdown()
    pets_server.server_close()
    assert CatsDogsData(root, download=True, val_fraction=0.5).listing("val").paths == data.listing("val").paths


def test_a_download_that_fails_is_one_line(tmp_path: Path, pets_server: http.server.ThreadingHTTPServer) -> None:
    (tmp_path / "served" / "images.tar.gz").unlink()
    with pytest.raises(
        DataError, match=r"^data.download true: the Oxford-IIIT Pet photos could not be downloaded to .*; check"
    ) as caught:
        CatsDogsData(str(tmp_path / "pets"), download=True).prepare_data()
    assert "\n" not in str(caught.value)
