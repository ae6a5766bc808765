"""Draw on the page of `digits serve` in a real browser, as a person would.

    python -m tests.drawing

makes the screenshot of the README, with the model in models/digits, and the page's samples.
"""

import shutil
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.service import service
from tests.strokes import STROKES, packed, smooth
from tests.strokes import page as page_with

ROOT = Path(__file__).parents[1]
SCREENSHOT = ROOT / "metrics/readme/draw.png"
SAMPLES = {"digit": "4", "number": "2026", "rows": "31/42"}  # images to try
WEB = ROOT / "digits/service/web"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--no-sandbox", "--disable-gpu"]
DESKTOP = {"viewport": {"width": 1280, "height": 800}}
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "has_touch": True,
    "is_mobile": True,
}


@contextmanager
def served(folder, model, port=0):
    """Run `digits serve` in `folder`; yield its address. Port 0 means any free port."""
    options = ("--model", str(model), "--port", str(port))
    with service.served(folder, *options) as (_, (host, chosen)):
        yield f"http://{host}:{chosen}"


def written(text, seed=0, kind="PNG"):
    """The bytes of an image with `text` on it."""
    return packed(Image.fromarray(page_with(text, np.random.default_rng(seed))), kind)


@contextmanager
def browser():
    """Run headless Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@contextmanager
def opened(chromium, address, forgiven="", **device):
    """Open a page; at the end, fail if it logged errors or sent requests to other servers.

    Lines of the console that begin with `forgiven`, or one of several, are ignored.
    """
    context = chromium.new_context(**device)
    page = context.new_page()
    page.set_default_timeout(20_000)
    urls, errors = [], []
    page.on("request", lambda request: urls.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text))
    page.goto(address)
    yield page
    context.close()
    assert [url for url in urls if not url.startswith((address, "data:", "blob:"))] == []
    assert [e for e in errors if not (forgiven and e.startswith(forgiven))] == []


FIND_BARRIERS = """async (options) => {
  const { violations } = await axe.run({ ...options, resultTypes: ["violations"] });
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
}"""


def barriers(page):
    """What axe-core finds on a page at both widths, in light, and of its colors in dark.

    Also that the page is wider than the window. Details are opened.
    """
    package = pytest.importorskip("axe_playwright_python")
    page.evaluate(Path(package.__file__).with_name("axe.min.js").read_text())
    page.evaluate("document.querySelectorAll('details').forEach((each) => (each.open = true))")
    found = []
    for width in (390, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        if page.evaluate("document.documentElement.scrollWidth") > width:
            found.append(f"wider than {width} pixels")
        for scheme, options in (("light", {}), ("dark", {"runOnly": ["color-contrast"]})):
            page.emulate_media(color_scheme=scheme)
            found += page.evaluate(FIND_BARRIERS, options)
    return found


def curves(text, frame):
    """The strokes of digits as points (n, 2) on the screen, in the middle of the sheet."""
    width, height = frame["width"], frame["height"]
    size = min(0.8 * height, 1.1 * width / len(text))
    step = min(0.75 * size, 0.9 * width / len(text))
    left = frame["x"] + (width - step * len(text)) / 2
    top = frame["y"] + (height - size) / 2
    for i, digit in enumerate(text):
        corner = np.array([left + step * (i + 0.5) - 0.4 * size, top])
        for points in STROKES[digit]:
            yield corner + _path(points) * (0.8 * size, size)


def _path(points):
    """A stroke as a smooth path, with a corner at each doubled point."""
    corners = [i for i in range(1, len(points)) if points[i] == points[i - 1]]
    parts = np.split(np.array(points), corners)
    return np.concatenate([smooth(part, steps=4) for part in parts if len(part) > 1])


def mouse(page, text):
    """Draw with the mouse."""
    for curve in curves(text, page.locator("#paper").bounding_box()):
        page.mouse.move(*curve[0])
        page.mouse.down()
        for point in curve[1:]:
            page.mouse.move(*point)
        page.mouse.up()


def finger(page, text):
    """Draw with a finger, through touch events."""
    for curve in curves(text, page.locator("#paper").bounding_box()):
        swipe(page, curve)


def swipe(page, curve):
    """Put a finger down, move it, lift it."""
    session = page.context.new_cdp_session(page)
    for kind, points in (
        ("touchStart", curve[:1]),
        *(("touchMove", [point]) for point in curve[1:]),
        ("touchEnd", []),
    ):
        touches = [{"x": float(x), "y": float(y)} for x, y in points]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})
    session.detach()


def draw(model, path):
    """Write a screenshot of the page to `path`, with the predictions of the model in a folder."""
    with served(ROOT, model) as address, browser() as chromium:
        page = chromium.new_page(viewport={"width": 1120, "height": 760})
        page.goto(address)
        mouse(page, "2026")
        page.get_by_text("all digits right").wait_for()
        page.wait_for_timeout(1000)  # for the prediction after the last point
        page.screenshot(path=path)
    colours = Image.open(path).convert("RGB").quantize(64, dither=Image.Dither.NONE)
    colours.save(path, optimize=True)


def draw_samples(folder):
    """Write the images that the page offers to try, 4:3."""
    for seed, (name, text) in enumerate(SAMPLES.items()):
        drawn = page_with(text, np.random.default_rng(seed), shape=(240, 320), pen=7)
        (folder / f"sample-{name}.jpg").write_bytes(
            packed(Image.fromarray(drawn), "JPEG", quality=80)
        )


if __name__ == "__main__":
    draw_samples(WEB)
    draw("models/digits", SCREENSHOT)  # as a person in the checkout names it
    print(SCREENSHOT)
