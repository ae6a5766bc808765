"""The drawing page in a real browser, used with mouse, finger and keyboard."""

import base64
import json
import re
import shutil

import pytest
from PIL import Image

from digits.datasets import feedback_export, feedback_store
from digits.evaluation import model_card
from tests import drawing, sealed
from tests.drawing import (
    CHROMIUM,
    DESKTOP,
    PHONE,
    barriers,
    finger,
    mouse,
    opened,
    swipe,
    written,
)
from tests.service.test_web_pages import full_card
from tests.strokes import packed

NO_ANSWER = "\N{EN DASH}"
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")


@pytest.fixture(scope="module")
def project(tmp_path_factory, reader):
    """A project with a model that reads well."""
    folder = tmp_path_factory.mktemp("page") / "project"
    shutil.copytree(reader, folder / "models/digits")
    (folder / "dvc.yaml").touch()
    return folder


@pytest.fixture(scope="module")
def service(project):
    """The address of the service, with that model."""
    with drawing.served(project, "models/digits") as address:
        yield address


@pytest.fixture(scope="module")
def chromium():
    """The browser."""
    with drawing.browser() as browser:
        yield browser


def expect_text(page, text):
    """Wait until the page shows `text`; `/` between rows."""
    shown = "document.getElementById('text').textContent.replaceAll('\\n', '/')"
    page.wait_for_function(f"text => {shown} === text", arg=text)


def corrections(project):
    """The rows of the stored feedback."""
    return feedback_store.read_corrections(project / feedback_store.FOLDER)


def test_a_phone_shows_sheet_and_answer_together(chromium, service):
    """On 390 x 844 pixels, the bars end above the fold. A finger scrolls outside of the sheet."""
    with opened(chromium, service, **PHONE) as page:
        for digit in "1384":
            page.keyboard.press("Delete")  # what was drawn before
            finger(page, digit)
            expect_text(page, digit)
            assert page.evaluate("[scrollX, scrollY]") == [0, 0]
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        bars = page.locator("#bars").bounding_box()
        assert bars["y"] + bars["height"] <= 844
        page.get_by_role("button", name="No").click()
        page.evaluate("scrollTo(0, 0)")
        swipe(page, [(195, y) for y in range(640, 440, -10)])
        page.wait_for_function("() => scrollY > 0")  # so drawing could have scrolled


def test_a_number_is_read_digit_by_digit(chromium, service):
    """Each digit has a box on the sheet and an image. The bars are those of the chosen digit."""
    with opened(chromium, service, **DESKTOP) as page:
        number = "20569"  # the other digits are drawn elsewhere in this file
        mouse(page, number)
        expect_text(page, number)
        page.wait_for_function("() => document.querySelectorAll('#marks rect').length === 5")
        digits = page.locator("#glyphs button")
        assert digits.count() == 5
        for i, digit in enumerate(number):
            digits.nth(i).click()
            assert page.locator("#bars .first").inner_text().startswith(digit)
            assert digits.nth(i).get_attribute("aria-pressed") == "true"
        page.get_by_role("button", name="Clear").click()
        expect_text(page, NO_ANSWER)


def test_undo_reverts_strokes_and_clearing(chromium, service):
    """By key and by button, back to the empty sheet."""
    with opened(chromium, service, **DESKTOP) as page:
        undo = page.get_by_role("button", name="Undo")
        mouse(page, "1")
        expect_text(page, "1")
        mouse(page, "4")  # two strokes, over the 1
        page.keyboard.press("Control+z")
        undo.click()
        expect_text(page, "1")
        page.keyboard.press("Delete")
        expect_text(page, NO_ANSWER)
        assert page.get_by_text("Draw a digit here").is_visible()
        undo.click()
        expect_text(page, "1")
        undo.click()
        expect_text(page, NO_ANSWER)
        assert undo.is_disabled()


def test_the_keyboard_alone_draws_and_corrects(chromium, service, project):
    """Arrow keys and the space bar draw a 1. Tab reaches the buttons. A key gives the label."""
    with opened(chromium, service, **DESKTOP) as page:
        while page.evaluate("document.activeElement.id") != "paper":
            page.keyboard.press("Tab")
        for _ in range(8):
            page.keyboard.press("ArrowUp")
        page.keyboard.press("Space")
        for _ in range(16):
            page.keyboard.press("ArrowDown")
        page.keyboard.press("Space")
        expect_text(page, "1")
        while page.evaluate("document.activeElement.id") != "no":
            page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.keyboard.press("1")
        page.get_by_text("Stored with the label 1.").wait_for()
        assert corrections(project)[-1].label == "1"


PUT = """([type, id, data]) => {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], "p.png", { type: "image/png" }));
  const options = { bubbles: true, cancelable: true };
  const event = type === "paste" ? new ClipboardEvent(type, { ...options, clipboardData: transfer })
    : new DragEvent(type, { ...options, dataTransfer: transfer });
  document.getElementById(id).dispatchEvent(event);
}"""


def choose(page, content):
    """Open an image file in the page."""
    file = {"name": "p.png", "mimeType": "image/png", "buffer": content}
    page.locator("#file").set_input_files(file)


def test_images_are_tried_chosen_pasted_and_dropped(chromium, service, project):
    """The page shows what it reads in each, or why it reads nothing. None of them is stored."""
    stored = len(corrections(project))
    with opened(chromium, service, "Failed to load resource", **DESKTOP) as page:
        for name, text in drawing.SAMPLES.items():
            page.locator(f".samples [src$={name}\\.jpg]").click()
            expect_text(page, text)
        choose(page, written("7"))
        expect_text(page, "7")
        page.evaluate(PUT, ["paste", "paper", base64.b64encode(written("26/11")).decode()])
        expect_text(page, "26/11")
        assert page.locator("#marks rect").count() == 4
        page.evaluate(PUT, ["drop", "sheet", base64.b64encode(written("3")).decode()])
        expect_text(page, "3")
        mouse(page, "1")  # begins a new drawing
        expect_text(page, "1")
        choose(page, b"no picture")
        page.get_by_role("alert").get_by_text("not an image").wait_for()
        choose(page, packed(Image.new("RGB", (300, 200), "white"), "PNG"))
        page.locator("#probability").get_by_text("Nothing is on it").wait_for()
        page.locator("#spoken").get_by_text("Nothing is on it").wait_for(state="attached")
        assert page.get_by_role("button", name="Yes, it is").is_visible()
    assert len(corrections(project)) == stored


def test_a_correction_becomes_feedback(chromium, service, project):
    """It is stored once, with the last label and the model. `digits feedback` counts it."""
    shutil.rmtree(project / "data", ignore_errors=True)
    with opened(chromium, service, **DESKTOP) as page:
        mouse(page, "7")
        expect_text(page, "7")
        assert corrections(project) == []
        page.get_by_role("button", name="Yes").click()
        page.get_by_text("Stored with the label 7.").wait_for()
        page.get_by_role("button", name="No").click()
        page.get_by_role("button", name="1", exact=True).click()
        page.get_by_text("Stored with the label 1.").wait_for()
        page.keyboard.press("Escape")
        mouse(page, "26")
        expect_text(page, "26")
        page.get_by_role("button", name="No").click()
        page.get_by_label("or enter the number").fill("20")
        page.get_by_role("button", name="Store").click()
        page.get_by_text("Stored with the label 20.").wait_for()

    manifest = json.loads((project / "models/digits/manifest.json").read_text())
    rows = corrections(project)
    assert [(row.label, row.answer) for row in rows] == [("1", "7"), ("20", "26")]
    assert {row.model_sha256 for row in rows} == {manifest["content_sha256"]}
    assert re.search(
        r"^all +2 +2$", feedback_export.format_counts(feedback_export.count_corrections(rows)), re.M
    )


def test_the_page_recovers_when_the_service_restarts(chromium, project, tmp_path):
    """It says that the service is away, tries again by itself, and reports the new model."""
    with drawing.served(project, "models/digits") as address:
        port = address.rpartition(":")[2]
        page = chromium.new_page(**DESKTOP)
        page.goto(address)
        mouse(page, "1")
        expect_text(page, "1")
    mouse(page, "7")
    page.get_by_role("alert").get_by_text("does not answer; trying again").wait_for()
    sealed.seal(tmp_path / "another")
    with drawing.served(project, tmp_path / "another", port):
        page.get_by_role("alert").get_by_text("The model was replaced").wait_for()
    page.close()


def test_the_page_tries_again_when_the_service_is_busy(chromium, service):
    """After a 503 with Retry-After, it says so and repeats the request."""
    busy = {"status": 503, "headers": {"Retry-After": "1"}, "json": {"error": "busy"}}
    with opened(chromium, service, "Failed to load resource", **DESKTOP) as page:
        page.route("**/predict*", lambda route: route.fulfill(**busy))
        mouse(page, "7")
        page.get_by_role("alert").get_by_text("busy; trying again").wait_for()
        page.unroute("**/predict*")
        expect_text(page, "7")
        assert page.get_by_role("alert").is_hidden()


def test_the_api_page_sends_the_example_of_each_kind(chromium, service):
    """All routes are on it. A form sends a GET, JSON, or an image, to this service only."""
    with opened(chromium, service, **DESKTOP) as page:
        paths = page.request.get(f"{service}/openapi.json").json()["paths"]
        page.goto(f"{service}/docs")
        assert page.locator(".route").count() == len(paths)
        for path, words in (("/v2/health/live", '"live": true'), ("/predict", '"text": "7"')):
            route = page.locator(".route").filter(has_text=path).first
            route.locator("summary").click()
            assert service in route.locator(".command").first.inner_text()
            route.get_by_role("button", name="Send").click()
            route.locator(".response").get_by_text(words).wait_for()
        file = {"name": "p.png", "mimeType": "image/png", "buffer": written("26")}
        route.locator("input[type=file]").set_input_files(file)
        route.get_by_role("button", name="Send").click()
        route.locator(".response").get_by_text('"text": "26"').wait_for()


def test_no_page_has_a_barrier(chromium, service):
    """axe-core finds nothing on the pages and on a card, at 390 and 1440 pixels, light and dark."""
    with opened(chromium, service, "Failed to load resource", **DESKTOP) as page:
        mouse(page, "26")
        expect_text(page, "26")
        page.get_by_role("button", name="No").click()
        assert barriers(page) == []
        for path in ("/model", "/docs", "/no/such/page"):
            page.goto(service + path)
            assert barriers(page) == [], path
        page.goto("about:blank")
        page.set_content(model_card.render_page(full_card("text"), "name", standalone=True))
        assert barriers(page) == []
