"""Addresses of stores: what is refused in one line, and how paths below them are named."""

from __future__ import annotations

import pytest

from vitcli.errors import DataError
from vitcli.images.source.open import open_source
from vitcli.images.source.remote.address import Address


@pytest.mark.parametrize(
    ("root", "told"),
    [
        ("ftp://photos/a", "ftp:// is no store that is read; s3://, gs://, az://, https://, http://, hf:// are"),
        ("s3://", "names no bucket; say s3://BUCKET/FOLDER"),
        ("https:///photos.tar", "names no server; say https://SERVER/FOLDER"),
        ("s3://me:hush@photos/a", "a name or password in an address"),
        ("https://me:hush@host/a.zip", "a name or password in an address"),
        ("https://host/a.zip?X-Amz-Signature=hush", "a signed address is a key"),
        ("https://host/a.zip?sv=2024&sig=hush", "a signed address is a key"),
        ("https://host/a.zip?access_token=hush", "a signed address is a key"),
        ("s3://photos/set/*.jpg", "a pattern names shards (.tar)"),
        ("s3://photos/table.csv", "say --data ManifestData"),
    ],
)
def test_an_address_that_cannot_be_is_refused_in_a_line_that_shows_no_secret(root: str, told: str) -> None:
    with pytest.raises(DataError) as refused:
        open_source(root)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "hush" not in str(refused.value)


def test_a_query_that_is_no_key_is_kept_and_is_no_part_of_the_name() -> None:
    address = Address.of("https://host/files/photos.zip?download=1")
    assert (address.name, address.ending, address.query) == ("photos.zip", ".zip", "?download=1")
    assert address.above.root == "https://host/files"


def test_letters_are_quoted_on_the_web_and_plain_in_a_bucket() -> None:
    web, bucket = Address.of("https://host/files/"), Address.of("s3://photos/files/")
    assert web.inside("a b/ü.jpg") == "https://host/files/a%20b/%C3%BC.jpg"
    assert web.path("https://host/files/a%20b/%C3%BC.jpg") == "a b/ü.jpg"
    assert bucket.inside("a b/ü.jpg") == "photos/files/a b/ü.jpg"
    assert bucket.path("photos/other/x.jpg") is None
