"""Small copies of pictures, from any file that vitcli reads."""

from __future__ import annotations

import io

from tests.conftest import photo
from vitcli.images.decode.encoded import EncodedPicture, strict
from vitcli.report.pictures import shrunk


def test_metadata_that_cannot_be_parsed_says_nothing_of_the_pixels():
    file = io.BytesIO()
    photo(1, (300, 200)).save(file, "JPEG", exif=b"Exif\0\0MM\x13*\0\0\0\x08")
    with strict():
        assert shrunk(EncodedPicture(file.getvalue())).size == (144, 96)
