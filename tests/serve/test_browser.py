"""The page in a browser: photos dropped, classes and a map seen, hostile names harmless, keyboard, dark and narrow."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.conftest import picture_bytes
from tests.serve.conftest import Served

pytestmark = pytest.mark.browser

Opened = Callable[..., Any]
HOSTILE = "<img src=x onerror=window.pwned=1>.png"
# what a file manager does: the files of a drag, let go over the page
DROP = """([name, content]) => {
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], name, {type: 'image/png'}));
    const fields = {dataTransfer: data, bubbles: true, cancelable: true};
    for (const kind of ['dragenter', 'dragover', 'drop']) {
        document.getElementById('drop').dispatchEvent(new DragEvent(kind, fields));
    }
}"""
# how many different colours there are in a picture's frame, and beyond it
SHOWN = """(canvas) => {
    const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
    const found = new Set();
    for (let at = 0; at < pixels.length; at += 4) found.add(`${pixels[at]} ${pixels[at + 1]} ${pixels[at + 2]}`);
    return found.size;
}"""


@pytest.fixture
def opened(browser: Any, served: Served) -> Iterator[Opened]:
    """A function that opens the page in a tab of its own."""
    contexts = []

    def open_page(**options: Any) -> Any:
        options.setdefault("viewport", {"width": 1100, "height": 900})
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.asked, page.errors = [], []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        page.on("console", lambda message: page.errors.append(message.text))
        # choosers are heard from the start: asked for only when a key is pressed, the browser may open its own before
        page.on("filechooser", lambda chooser: None)
        page.goto(f"http://127.0.0.1:{served.client.port}/")
        return page

    yield open_page
    for context in contexts:
        context.close()


def upload(name: str, content: bytes) -> dict[str, Any]:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": content}


def test_a_dropped_photo_shows_its_class_its_confidence_and_its_map(opened: Opened, served: Served):
    page = opened()
    content = picture_bytes()
    page.evaluate(DROP, [HOSTILE, base64.b64encode(content).decode()])
    page.wait_for_selector("#status:has-text('1 of 1 answered')")
    said = served.client.ask(body=content).json["images"][0]
    card = page.locator(".card")
    assert card.locator("h2").text_content() == said["predicted"]
    assert card.locator(".name").text_content() == HOSTILE
    assert card.locator(".label").all_text_contents() == [one["class"] for one in said["top"]]
    assert card.locator(".number").first.text_content() == f"{said['confidence']:.0%}".replace("%", " %")
    canvas = card.locator("canvas")
    assert canvas.get_attribute("aria-label").startswith(f"{HOSTILE}: {said['predicted']}")
    assert "the map is strongest at the" in canvas.get_attribute("aria-label")
    # without its map the picture has other colours
    with_map = canvas.evaluate("canvas => canvas.toDataURL()")
    page.locator("#strength").fill("0")
    without = canvas.evaluate("canvas => canvas.toDataURL()")
    assert with_map != without
    assert canvas.evaluate(SHOWN) > 100
    assert page.evaluate("() => window.pwned") is None
    assert page.errors == []
    assert all(url.startswith((f"http://127.0.0.1:{served.client.port}/", "data:")) for url in page.asked)


def test_what_cannot_be_answered_says_why_and_a_kind_that_browsers_lack_is_answered(opened: Opened):
    page = opened()
    files = [upload("cut.png", picture_bytes()[:300]), upload("large.png", bytes(300_000))]
    page.locator("#files").set_input_files([*files, upload("deep.tif", picture_bytes(kind="TIFF"))])
    page.wait_for_selector("#status:has-text('3 of 3 answered')")
    told = dict(zip(page.locator(".name").all_text_contents(), page.locator("h2").all_text_contents(), strict=True))
    assert told["cut.png"] == "No answer: truncated"
    assert told["large.png"] == "No answer: larger than 0.2 MiB"
    assert told["deep.tif"] in ("circle", "square")
    page.locator("#clear").press("Enter")
    assert page.locator(".card").count() == 0
    assert page.evaluate("() => document.activeElement.id") == "files"


def test_photos_that_are_cleared_while_their_answers_are_awaited_count_no_more(opened: Opened):
    page, held = opened(), []
    page.route("**/predict*", lambda route: held.append(route))
    for name in ("cleared.png", "kept.png"):
        page.locator("#files").set_input_files([upload(name, picture_bytes())])
        while len(held) < (1 if name == "cleared.png" else 2):
            page.wait_for_timeout(20)
        if name == "cleared.png":
            page.locator("#clear").press("Enter")
    held[0].continue_()
    page.wait_for_timeout(500)
    assert page.locator("#status").text_content() == "0 of 1 answered"
    held[1].continue_()
    page.wait_for_selector("#status:has-text('1 of 1 answered')")
    assert page.locator(".card .name").all_text_contents() == ["kept.png"]
    assert page.errors == []


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_in_light_and_dark_and_is_used_by_keyboard(opened: Opened, scheme: str):
    page = opened(color_scheme=scheme, viewport={"width": 360, "height": 740})
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.className") == "skip"
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.id") == "files"
    with page.expect_file_chooser() as choosing:
        page.keyboard.press("Enter")
    choosing.value.set_files([upload("a" * 200 + ".png", picture_bytes())])
    page.wait_for_selector("#status:has-text('1 of 1 answered')")
    assert page.evaluate("() => document.documentElement.scrollWidth") == 360
    ground = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(20, 23, 28)")


def test_without_scripts_the_form_is_answered_with_json(opened: Opened):
    page = opened(java_script_enabled=False)
    page.locator("#files").set_input_files([upload("a.png", picture_bytes()), upload("b.png", picture_bytes(1))])
    page.locator("noscript button").click()
    page.wait_for_url("**/predict")
    assert '"name":"b.png"' in page.content()
