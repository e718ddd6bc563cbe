"""POST /predict answers as predict does, with maps, and refuses in a line of JSON what it cannot take."""

from __future__ import annotations

import html
import io
import json
import re
from collections.abc import Iterator

import pytest
import torch
from PIL import Image

from tests.conftest import REPOSITORY, picture_bytes
from tests.serve.client import BOUNDARY, form
from tests.serve.conftest import Served, bomb
from vitcli import Predictor
from vitcli.explain import maps_of
from vitcli.serve.page import HEADERS

PHOTOS = [picture_bytes(number) for number in range(4)]


def test_several_images_and_each_alone_are_answered_as_predict_answers_them(served: Served):
    images = [Image.open(io.BytesIO(content)) for content in PHOTOS]
    rows = Predictor(served.run, device="cpu").predict(images)
    together = served.client.files(*((f"{number}.png", content) for number, content in enumerate(PHOTOS)))
    assert together.code == 200
    said = together.json["images"]
    said += [served.client.ask(body=content).json["images"][0] for content in PHOTOS]
    assert [one["name"] for one in said] == ["0.png", "1.png", "2.png", "3.png", "", "", "", ""]
    for one, row in zip(said, rows * 2, strict=True):
        assert (one["status"], one["error"], one["predicted"]) == ("ok", "", row.predicted)
        assert (one["width"], one["height"]) == (row.width, row.height)
        assert one["confidence"] == pytest.approx(row.confidence, abs=1e-6)
        assert list(one["probabilities"].values()) == pytest.approx(row.probabilities, abs=1e-6)
        assert one["top"][0] == {"class": one["predicted"], "probability": one["confidence"]}
        assert "map" not in one


def test_a_map_is_that_of_explain_for_the_predicted_class(served: Served):
    said = served.client.ask("/predict?map=true", PHOTOS[0]).json["images"][0]
    predictor = Predictor(served.run, device="cpu")
    picture = Image.open(io.BytesIO(PHOTOS[0]))
    region = predictor.preprocess.region(picture.height, picture.width)
    assert said["map"]["region"] == list(region)
    from vitcli.images.decode.given import of_image
    from vitcli.images.decode.pixels import Way

    pixels = torch.from_numpy(of_image(picture).crop(region, Way.of(predictor.preprocess)).copy())[None]
    label = torch.tensor([predictor.classes.index(said["predicted"])])
    expected = maps_of("relevance", predictor.net, predictor.preprocess.normalise(pixels), label)[0]
    assert (said["map"]["rows"], said["map"]["columns"]) == tuple(expected.shape)
    assert said["map"]["values"] == pytest.approx(expected.flatten().tolist(), rel=1e-5)


def test_the_keys_of_a_row_are_those_that_the_documentation_lists(served: Served):
    section = (REPOSITORY / "docs/deploy.md").read_text(encoding="utf-8").partition("## Serve\n")[2]
    table = section.partition("| key | what |")[2].partition("\n\n")[0]
    documented = {key for line in table.splitlines()[2:] for key in re.findall("`([a-z]+)`", line.split("|")[1])}
    with_map, broken = (
        served.client.ask("/predict?map=true", content).json["images"][0] for content in (PHOTOS[0], b"x")
    )
    assert with_map.keys() == documented
    assert broken.keys() == documented - {"probabilities", "map"}
    assert with_map["map"].keys() == {"method", "rows", "columns", "values", "region"}


def test_a_name_is_sent_back_as_it_came_and_opens_nothing(served: Served):
    names = ["../../../etc/passwd", "/etc/passwd", "<img src=x onerror=alert(1)>.png", "ф‮gnp.png", "x" * 3000]
    said = served.client.files(*((name, PHOTOS[0]) for name in names)).json["images"]
    assert [one["name"] for one in said] == [*names[:4], "x" * 1024]
    for path in (
        "/../../../../etc/passwd",
        "/page/../../../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "//etc/passwd",
    ):
        answer = served.client.ask(path)
        assert (answer.code, answer.json) == (404, {"error": answer.json["error"]})
        assert b"root:" not in answer.content


def test_of_some_images_the_unreadable_ones_have_their_reason_and_the_others_an_answer(served: Served):
    said = served.client.files(("a.png", PHOTOS[0]), ("b.png", PHOTOS[1][:200]), ("c.png", b"no image"))
    assert said.code == 200
    assert [one["status"] for one in said.json["images"]] == ["ok", "error", "error"]
    assert [one["error"] for one in said.json["images"]] == ["", "truncated", "not an image (cannot identify)"]
    assert [one["predicted"] for one in said.json["images"][1:]] == ["", ""]


def chunks(content: bytes, size: int = 50_000) -> Iterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


LARGE = bytes(10**6)
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
REFUSED = {
    "bomb": (422, "too large", {"body": bomb(8_000)}),
    "truncated": (422, "truncated", {"body": PHOTOS[0][:300]}),
    "no image": (422, "not an image", {"body": b"GIF89a?"}),
    "empty": (400, "no image", {"body": b""}),
    "too long, as it says": (413, "200,000 bytes", {"body": LARGE}),
    "too long, without a length": (413, "200,000 bytes", {"body": chunks(LARGE)}),
    "text": (415, "text/html", {"body": b"<p>", "content_type": "text/html"}),
    "json": (415, "application/json", {"body": b"{}", "content_type": "application/json"}),
    "many parts": (413, "8 images", {"body": form(*[("", b"")] * 9), "content_type": MULTIPART}),
    "a part that is cut off": (400, "cut off", {"body": form(("a", PHOTOS[0]))[:-5], "content_type": MULTIPART}),
    "no boundary": (400, "boundary", {"body": b"x", "content_type": "multipart/form-data"}),
    "another boundary": (400, "malformed", {"body": form(("a", b"b")), "content_type": MULTIPART + "0"}),
    "a boundary without end": (400, "malformed", {"body": b"x", "content_type": MULTIPART + "0" * 5000}),
    "a header without end": (400, "header", {"body": form(("n" * 9000, b"")), "content_type": MULTIPART}),
    "no such address": (404, "/predict", {"path": "/admin"}),
    "another method": (405, "POST is", {"path": "/predict", "method": "PUT"}),
    "a word of its own": (400, "map=yes", {"path": "/predict?map=yes", "body": PHOTOS[0]}),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_taken_is_refused_in_one_line(served: Served, what: str):
    code, reason, request = REFUSED[what]
    answer = served.client.ask(**request)
    assert answer.code == code
    told = answer.json["images"][0]["error"] if code == 422 else answer.json["error"]
    assert reason in told
    assert "\n" not in told
    assert len(told) < 300


def test_the_page_tells_and_checks_the_limits_that_were_typed(served: Served):
    words = served.program.words
    typed = {words[place]: int(words[place + 1]) for place in range(2, len(words), 2)}
    page = served.client.ask("/").content.decode()
    (told,) = re.findall('data-told="([^"]*)"', page)
    limits = json.loads(html.unescape(told))
    assert (limits["maxBytes"], limits["maxImages"]) == (typed["--max_bytes"], typed["--max_images"]) == (200_000, 8)
    assert "0.191 MiB" in page


def test_every_answer_says_that_nothing_but_its_own_may_be_loaded(served: Served):
    for path in ("/", "/page.css", "/page.js", "/healthz", "/metrics", "/nowhere"):
        headers = served.client.ask(path).headers
        assert headers.items() >= HEADERS.items()
        assert "server" not in headers
    policy = HEADERS["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_what_was_asked_is_counted_for_prometheus(served: Served):
    names = (
        'vitcli_requests_total{path="/predict",code="200"}',
        'vitcli_images_total{status="ok"}',
        'vitcli_images_total{status="error"}',
        "vitcli_batch_images_sum",
        "vitcli_predict_seconds_count",
    )
    served.client.ask(body=PHOTOS[0])
    before = [served.client.metric(name) for name in names]
    served.client.files(("a", PHOTOS[0]), ("b", PHOTOS[1]), ("c", b"broken"))
    after = [served.client.metric(name) for name in names]
    assert [late - early for early, late in zip(before, after, strict=True)] == [1, 2, 1, 2, 1]
    text = served.client.ask("/metrics")
    assert text.headers["content-type"].startswith("text/plain; version=0.0.4")
    for line in text.content.decode().splitlines():
        assert re.fullmatch(r'# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? [-+.e0-9]+', line)
    assert served.client.metric("vitcli_queue_images") == 0
    assert served.client.ask("/healthz").json["status"] == "ok"
