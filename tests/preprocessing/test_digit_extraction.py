"""Any picture of digits becomes what the network was trained on.

MNIST's digits here are the 6,000 last of the official training pictures, on which no fixture
trains: the official test pictures are read by `evaluate` alone.
"""

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw

from digits.evaluation.slice_scores import edit_distance
from digits.inference import classifier, reject_option
from digits.preprocessing.digit_extraction import extract_glyphs
from digits.preprocessing.image_decoding import DecodedImage, decode_image
from tests import pages
from tests.conditions import photograph, written
from tests.strokes import empty, page

SWEEP = 250  # pictures


@pytest.fixture(scope="module")
def model(reader):
    """A model that reads well."""
    return classifier.load(reader)


@pytest.fixture(scope="module")
def held_out(official):
    """Pictures and labels that no model here was trained on."""
    return official.images[54000:], official.labels[54000:]


def scan(pixels):
    """`pixels` as if decoded."""
    return DecodedImage(np.ascontiguousarray(pixels), pixels.shape[1::-1])


def test_a_digit_stays_the_same_digit_whatever_happens_to_its_picture(model, held_out):
    """Of the digits that are read rightly as MNIST has them, 97 % are so from any picture."""
    right = []
    for number in range(SWEEP):
        rng = np.random.default_rng([1, number])
        i = rng.integers(len(held_out[0]))
        if model.logits(held_out[0][[i]]).argmax() != held_out[1][i]:
            continue
        seen = extract_glyphs(decode_image(photograph(held_out[0][i], rng), "page")).images
        right.append(len(seen) == 1 and model.logits(seen).argmax() == held_out[1][i])

    assert len(right) > 0.95 * SWEEP
    assert np.mean(right) >= 0.97


def test_rows_of_digits_are_read_as_text(model, held_out):
    """95 % of the digits on pages in uneven rows: by the distance between the texts."""
    wrong = total = 0
    for number in range(30):
        rng = np.random.default_rng([2, number])
        rows = [rng.integers(6000, size=rng.integers(2, 8)) for _ in range(rng.integers(1, 4))]
        found = extract_glyphs(
            decode_image(written([held_out[0][row] for row in rows], rng), "page")
        )
        digits = model.logits(found.images).argmax(1)
        said = [list(digits[found.rows == row]) for row in range(len(rows))]
        wrong += sum(
            edit_distance(a, list(held_out[1][row])) for a, row in zip(said, rows, strict=True)
        )
        total += sum(map(len, rows))

    assert total > 200
    assert wrong <= 0.05 * total


def test_dark_mnist_pictures_pass_unharmed_too(held_out):
    """Dark on light and light on dark are the same digit."""
    for image in held_out[0][:50]:
        pixels = np.repeat(image[..., None], 3, 2)
        assert np.array_equal(
            extract_glyphs(scan(255 - pixels)).images, extract_glyphs(scan(pixels)).images
        )


@pytest.mark.parametrize("side", [40, 100, 400, 2000])
def test_a_digit_is_the_same_at_any_size(model, side):
    """From 40 to 2,000 pixels; the box is in pixels of the picture that came."""
    pixels = page("8", np.random.default_rng(2), shape=(600, 500), pen=20)
    scaled = cv2.resize(pixels, (side * 5 // 6, side), interpolation=cv2.INTER_AREA)
    found = extract_glyphs(scan(scaled))

    assert model.logits(found.images).argmax(1).tolist() == [8]
    whole = extract_glyphs(scan(pixels)).boxes[0] * side / 600
    assert np.abs(found.boxes[0] - whole).max() <= 2 + 0.02 * side


def test_boxes_are_in_pixels_of_a_picture_that_was_reduced(tmp_path):
    """Large pictures are worked on at a smaller size; nobody sees that."""
    pixels = np.full((3000, 4000, 3), 240, np.uint8)
    cv2.ellipse(pixels, (1000, 2000), (300, 500), 0, 0, 360, (30, 30, 30), 80)
    Image.fromarray(pixels).save(tmp_path / "0.jpg")
    found = extract_glyphs(decode_image((tmp_path / "0.jpg").read_bytes(), "0.jpg"))

    assert np.abs(found.boxes - [[660, 1460, 1340, 2540]]).max() < 20


def lit(seed, **conditions):
    """An empty page of 300 x 240 pixels, lit as `pages.page` says."""
    rng = np.random.default_rng(seed)
    return pages.page(np.zeros((300, 240), np.float32), rng, **conditions)


BARE = {
    "even": {},
    "ramp": {"ramp": 0.5},
    "vignette": {"vignette": 0.4},
    "noise": {"noise": 5},
    "texture": {"texture": 4},
    "dark": {"paper": (30, 34, 30), "noise": 3},
    "shadow": {"shadow": 0.3},
    "shadow, noise": {"shadow": 0.4, "noise": 3, "quality": 70},
    "ruled": {"ruled": (24, 1, (150, 170, 210), False)},
    "squared": {"ruled": (20, 1, (150, 170, 210), True)},
}


def test_a_bare_page_has_no_digit(model):
    """Whatever the light and the paper: 97 of 100 have nothing, and the rest is doubtful."""
    pages_of = [lit(seed, **conditions) for seed in range(10) for conditions in BARE.values()]
    found = [extract_glyphs(scan(bare)).images for bare in pages_of]

    assert np.mean([len(pictures) == 0 for pictures in found]) >= 0.97
    assert reject_option.is_doubtful(model.probabilities(np.concatenate(found))).all()


def test_a_digit_on_a_sheet_on_a_table_is_found_alone():
    """Neither the table nor the sheet's edge is taken for ink."""
    table = np.full((240, 240, 3), 60, np.uint8)
    table[40:200, 50:190] = page("4", np.random.default_rng(0), shape=(160, 140))
    (box,) = extract_glyphs(scan(table)).boxes

    assert (box[:2] > 50).all()
    assert (box[2:] < 190).all()


def drawn(shape, light=40):
    """How many digits are found where `shape`, 0..1, is that much darker than its paper."""
    pixels = np.repeat((230 - light * shape)[..., None], 3, 2).astype(np.uint8)
    return len(extract_glyphs(scan(cv2.GaussianBlur(pixels, (0, 0), 0.8))).images)


def test_what_is_blurred_is_a_shadow():
    """By the softness of its outline."""
    ring = cv2.circle(np.zeros((200, 200), np.float32), (100, 100), 52, 1.0, 16)
    soft, sharp = (cv2.GaussianBlur(ring, (0, 0), sigma) for sigma in (14, 2))

    assert (drawn(soft / soft.max()), drawn(sharp)) == (0, 1)


def test_a_faint_straight_line_from_edge_to_edge_is_a_fold():
    """A dark one may be a one; a faint one within the picture, too."""
    line = np.zeros((200, 200))
    line[:, 90:102] = 1
    within = line.copy()
    within[:40] = within[160:] = 0

    assert (drawn(line), drawn(line, 150), drawn(within)) == (0, 1, 1)


@pytest.mark.parametrize("value", [0, 128, 255])
@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (28, 28), (500, 300)])
def test_one_colour_is_no_digit(value, shape):
    """Not even of one pixel."""
    assert len(extract_glyphs(scan(np.full((*shape, 3), value, np.uint8))).images) == 0


def test_nothing_breaks_it():
    """Noise of any size and shape gives an answer of the promised kind, and no error."""
    rng = np.random.default_rng(0)
    for _ in range(60):
        height, width = rng.integers(1, 60, 2)
        pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        found = extract_glyphs(
            scan(pixels if rng.random() < 0.5 else (pixels > 200) * np.uint8(255))
        )
        assert len(found.boxes) == len(found.rows) == len(found.images)
        assert found.images.shape[1:] == (28, 28)
        assert (found.boxes >= 0).all()
        assert (found.boxes <= [width, height, width, height]).all()


def test_scribbles_are_often_doubtful(model):
    """Many random polylines are marked, six in ten as measured, and of digits few."""
    rng = np.random.default_rng(0)
    seen = []
    for _ in range(300):
        sheet = Image.fromarray(empty(rng, (200, 200)))
        points = rng.uniform(30, 170, (rng.integers(6, 14), 2))
        ImageDraw.Draw(sheet).line([tuple(p) for p in points], fill=(20, 20, 20), width=6)
        seen.append(extract_glyphs(scan(np.asarray(sheet)), False).images)

    assert reject_option.is_doubtful(model.probabilities(np.concatenate(seen))).mean() > 0.4
