"""The page to draw on, in a real browser, with mouse, finger and keyboard."""

import base64
import json
import re
import shutil

import pytest
from PIL import Image

from digits.datasets import feedback_export
from digits.datasets import feedback_store as kept
from tests import drawing
from tests.drawing import CHROMIUM, DESKTOP, PHONE, finger, mouse, opened, swipe, written
from tests.strokes import packed

NOTHING = "\N{EN DASH}"  # stands where the answer will
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")


@pytest.fixture(scope="module")
def project(tmp_path_factory, reader):
    """A project with a model that reads well."""
    folder = tmp_path_factory.mktemp("page") / "project"
    (folder / "models").mkdir(parents=True)
    (folder / "dvc.yaml").touch()
    shutil.copytree(reader, folder / "models/digits")
    return folder


@pytest.fixture(scope="module")
def service(project):
    """The address of the service, with that model."""
    with drawing.served(project, "models/digits") as address:
        yield address


@pytest.fixture(scope="module")
def chromium():
    """The browser."""
    with drawing.browser() as started:
        yield started


def expect_text(page, text):
    """Wait until the answer is `text`; `/` between rows."""
    page.wait_for_function(
        "text => document.getElementById('text').textContent.replaceAll('\\n', '/') === text",
        arg=text,
    )


def labels(project):
    """The rows of the stored feedback; none where there is none."""
    return kept.read_corrections(project / "data/feedback")


@pytest.mark.parametrize(("device", "hand"), [(DESKTOP, mouse), (PHONE, finger)])
def test_every_digit_that_is_drawn_is_read(chromium, service, device, hand):
    """All ten, with the mouse and with a finger, under which the page stays where it is."""
    with opened(chromium, service, **device) as page:
        for digit in "0123456789":
            hand(page, digit)
            expect_text(page, digit)
            assert page.locator("#bars .first").inner_text().startswith(digit)
            assert page.evaluate("[scrollX, scrollY]") == [0, 0]
            page.get_by_role("button", name="Clear").click()
            expect_text(page, NOTHING)


def test_a_phone_shows_sheet_and_answer_at_once(chromium, service):
    """390 x 844: nothing is wider, the bars end above the fold, and beside the sheet it scrolls."""
    with opened(chromium, service, **PHONE) as page:
        finger(page, "4")
        expect_text(page, "4")
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        bars = page.locator("#bars").bounding_box()
        assert bars["y"] + bars["height"] <= 844
        page.get_by_role("button", name="No").click()
        page.evaluate("scrollTo(0, 0)")
        swipe(page, [(195, y) for y in range(640, 440, -10)])
        page.wait_for_function("() => scrollY > 0")  # so it could have scrolled while drawing
        page.goto(f"{service}/model")
        assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_a_number_is_read_digit_by_digit(chromium, service):
    """Boxes on the sheet, a picture per digit; the bars are those of the digit that is chosen."""
    with opened(chromium, service, **DESKTOP) as page:
        mouse(page, "2026")
        expect_text(page, "2026")
        page.wait_for_function("() => document.querySelectorAll('#marks rect').length === 4")
        digits = page.locator("#several button")
        assert digits.count() == 4
        for place, digit in enumerate("2026"):
            digits.nth(place).click()
            assert page.locator("#bars .first").inner_text().startswith(digit)
            assert digits.nth(place).get_attribute("aria-pressed") == "true"


def test_undo_takes_back_strokes_and_clearing(chromium, service):
    """By key and by button, down to the empty sheet."""
    with opened(chromium, service, **DESKTOP) as page:
        undo = page.get_by_role("button", name="Undo")
        mouse(page, "1")
        expect_text(page, "1")
        mouse(page, "4")  # two strokes, over the 1
        page.keyboard.press("Control+z")
        undo.click()
        expect_text(page, "1")
        page.keyboard.press("Delete")
        expect_text(page, NOTHING)
        assert page.get_by_text("Draw a digit here").is_visible()
        undo.click()
        expect_text(page, "1")
        undo.click()
        expect_text(page, NOTHING)
        assert undo.is_disabled()


def test_the_keyboard_alone_draws_and_corrects(chromium, service, project):
    """Arrow keys and the space bar draw a 1; Tab reaches the buttons; a key gives the label."""
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
        page.get_by_text("Stored, labelled 1").wait_for()
        assert labels(project)[-1].label == "1"


PUT = """([type, id, data]) => {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  const given = new DataTransfer();
  given.items.add(new File([bytes], "p.png", { type: "image/png" }));
  const how = { bubbles: true, cancelable: true };
  const event = type === "paste" ? new ClipboardEvent(type, { ...how, clipboardData: given })
    : new DragEvent(type, { ...how, dataTransfer: given });
  document.getElementById(id).dispatchEvent(event);
}"""


def choose(page, content):
    """Give the page a file."""
    file = {"name": "p.png", "mimeType": "image/png", "buffer": content}
    page.locator("#file").set_input_files(file)


def test_pictures_are_chosen_pasted_and_dropped(chromium, service, project):
    """Each is shown and read, or said to be no digit or no picture; none of them is stored."""
    stored = len(labels(project))
    with opened(chromium, service, "Failed to load resource", **DESKTOP) as page:
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
        page.get_by_role("alert").get_by_text("no picture").wait_for()
        choose(page, packed(Image.new("RGB", (300, 200), "white"), "PNG"))
        page.locator("#chance").get_by_text("No digit found").wait_for()
        page.locator("#spoken").get_by_text("No digit found").wait_for(state="attached")
        assert page.get_by_role("button", name="Yes, it is").is_visible()
    assert len(labels(project)) == stored


def test_a_correction_becomes_feedback(chromium, service, project, monkeypatch):
    """Stored once with the last label, the answer and the model; `digits feedback` counts it."""
    shutil.rmtree(project / "data", ignore_errors=True)
    with opened(chromium, service, **DESKTOP) as page:
        mouse(page, "7")
        expect_text(page, "7")
        assert labels(project) == []
        page.get_by_role("button", name="Yes").click()
        page.get_by_text("Stored, labelled 7").wait_for()
        page.get_by_role("button", name="No").click()
        page.get_by_role("button", name="1", exact=True).click()
        page.get_by_text("Stored, labelled 1").wait_for()
        page.keyboard.press("Escape")
        mouse(page, "26")
        expect_text(page, "26")
        page.get_by_role("button", name="No").click()
        page.get_by_label("or a number").fill("20")
        page.get_by_role("button", name="Store").click()
        page.get_by_text("Stored, labelled 20").wait_for()

    manifest = json.loads((project / "models/digits/manifest.json").read_text())
    told = [(row.label, row.answer) for row in labels(project)]
    assert told == [("1", "7"), ("20", "26")]
    assert {row.model_sha256 for row in labels(project)} == {manifest["content_sha256"]}
    monkeypatch.chdir(project)
    assert re.search(
        r"^all +2 +2$",
        feedback_export.format_counts(kept.read_corrections(project / kept.FOLDER)),
        re.M,
    )


def test_a_service_that_goes_and_comes_back_with_another_model(chromium, project, variants):
    """The page says that nobody answers, goes on by itself, and says that the model changed."""
    with drawing.served(project, "models/digits") as address:
        port = address.rpartition(":")[2]
        context = chromium.new_context(**DESKTOP)
        page = context.new_page()
        page.goto(address)
        mouse(page, "1")
        expect_text(page, "1")
    mouse(page, "7")
    page.get_by_role("alert").get_by_text("does not answer; trying again").wait_for()
    with drawing.served(project, variants["good"], port):
        page.get_by_role("alert").get_by_text("The model was replaced").wait_for()
    context.close()


def test_a_busy_service_is_asked_again(chromium, service):
    """503 with Retry-After: the page says so and tries again."""
    busy = {"status": 503, "headers": {"Retry-After": "1"}, "json": {"error": "busy"}}
    with opened(chromium, service, "Failed to load resource", **DESKTOP) as page:
        page.route("**/predict*", lambda route: route.fulfill(**busy), times=1)
        mouse(page, "7")
        page.get_by_role("alert").get_by_text("busy; trying again").wait_for()
        expect_text(page, "7")
        assert page.get_by_role("alert").is_hidden()


def test_the_api_is_described_and_can_be_tried(chromium, service):
    """Every route is listed, and one is asked from the page: nothing but this service is."""
    with opened(chromium, service, **DESKTOP) as page:
        described = page.request.get(f"{service}/openapi.json").json()["paths"]
        page.goto(f"{service}/docs")
        route = page.locator(".opblock", has_text="/v2/health/live")
        route.get_by_role("button").first.click()
        route.get_by_role("button", name="Try it out").click()
        route.get_by_role("button", name="Execute").click()
        page.locator(".live-responses-table").get_by_text('"live"').wait_for()
        assert page.locator(".opblock").count() == len(described)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_both_schemes(chromium, service, scheme):
    """Every text has a contrast of 4.5 to 1 and more (WCAG AA), on both pages."""
    with opened(chromium, service, color_scheme=scheme, **DESKTOP) as page:
        mouse(page, "26")
        expect_text(page, "26")
        page.get_by_role("button", name="No").click()
        drawn = page.evaluate(CONTRASTS)
        page.goto(f"{service}/model")
        assert len(drawn) > 20
        assert [text for text, ratio in drawn + page.evaluate(CONTRASTS) if ratio < 4.5] == []


CONTRASTS = """() => {
  const parse = (text) => (text.match(/[\\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
  const over = ([r, g, b, a = 1], under) => [r, g, b].map((c, i) => c * a + under[i] * (1 - a));
  const ground = (node) => node === null ? [255, 255, 255]
    : over(parse(getComputedStyle(node).backgroundColor), ground(node.parentElement));
  const light = (rgb) => rgb.map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const own = (node) => [...node.childNodes].some((c) => c.nodeType === 3 && c.data.trim());
  return [...document.body.querySelectorAll("*")]
    .filter((node) => own(node) && node.getClientRects().length && !node.disabled)
    .map((node) => {
      const under = ground(node);
      const [a, b] = [light(over(parse(getComputedStyle(node).color), under)), light(under)];
      const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      return [node.textContent.trim().slice(0, 40), ratio];
    });
}"""
