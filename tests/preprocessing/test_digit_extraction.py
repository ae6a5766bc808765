"""Images of digits become glyphs that the network reads.

MNIST's digits here are the last 6,000 of the official training images, on which no fixture
trains: the official test images are read by `evaluate` alone.
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
from tests.pages import photograph, written
from tests.strokes import empty, packed, page

SWEEP = 120  # images


@pytest.fixture(scope="module")
def model(reader):
    """A model with an accuracy of at least 98 %."""
    return classifier.load(reader)


@pytest.fixture(scope="module")
def held_out(official):
    """Images and labels that no model here was trained on."""
    return official.images[54000:], official.labels[54000:]


def extract(pixels, several=None):
    """Extract the glyphs of RGB pixels."""
    image = DecodedImage(np.ascontiguousarray(pixels), pixels.shape[1::-1])
    return extract_glyphs(image, several)


def test_a_photograph_of_a_digit_is_read_as_the_digit(model, held_out):
    """Of the digits that are read correctly from MNIST, 97 % are read so from a photograph."""
    correct = []
    for number in range(SWEEP):
        rng = np.random.default_rng([1, number])
        i = rng.integers(len(held_out[0]))
        if model.logits(held_out[0][[i]]).argmax() != held_out[1][i]:
            continue
        glyphs = extract_glyphs(decode_image(photograph(held_out[0][i], rng), "page")).images
        correct.append(len(glyphs) == 1 and model.logits(glyphs).argmax() == held_out[1][i])

    assert len(correct) > 0.95 * SWEEP
    assert np.mean(correct) >= 0.97


def test_rows_of_digits_are_read_as_text(model, held_out):
    """95 % of the digits in uneven rows are right, by the edit distance between the texts."""
    wrong = total = 0
    for number in range(15):
        rng = np.random.default_rng([2, number])
        rows = [rng.integers(6000, size=rng.integers(2, 8)) for _ in range(rng.integers(1, 4))]
        page_file = written([held_out[0][row] for row in rows], rng)
        glyphs = extract_glyphs(decode_image(page_file, "page"))
        digits = model.logits(glyphs.images).argmax(1)
        for number_of_row, row in enumerate(rows):
            read = list(digits[glyphs.rows == number_of_row])
            wrong += edit_distance(read, list(held_out[1][row]))
        total += sum(map(len, rows))

    assert total > 100
    assert wrong <= 0.05 * total


def test_an_inverted_mnist_image_gives_the_same_glyph(held_out):
    """Dark on light and light on dark are the same digit."""
    for image in held_out[0][:50]:
        pixels = np.repeat(image[..., None], 3, 2)
        assert np.array_equal(extract(255 - pixels).images, extract(pixels).images)


@pytest.mark.parametrize("side", [40, 100, 400, 2000])
def test_a_digit_is_the_same_at_any_size(model, side):
    """From 40 to 2,000 pixels; the box is in pixels of the image that was given."""
    pixels = page("8", np.random.default_rng(2), shape=(600, 500), pen=20)
    scaled = cv2.resize(pixels, (side * 5 // 6, side), interpolation=cv2.INTER_AREA)
    glyphs = extract(scaled)

    assert model.logits(glyphs.images).argmax(1).tolist() == [8]
    whole = extract(pixels).boxes[0] * side / 600
    assert np.abs(glyphs.boxes[0] - whole).max() <= 2 + 0.02 * side


def test_boxes_are_in_pixels_of_the_full_image():
    """Large images are worked on at a smaller size; the boxes are scaled back."""
    pixels = np.full((3000, 4000, 3), 240, np.uint8)
    cv2.ellipse(pixels, (1000, 2000), (300, 500), 0, 0, 360, (30, 30, 30), 80)
    glyphs = extract_glyphs(decode_image(packed(Image.fromarray(pixels), "JPEG"), "0.jpg"))

    assert np.abs(glyphs.boxes - [[660, 1460, 1340, 2540]]).max() < 20


LIGHT = [{}, {"ramp": 0.5}, {"vignette": 0.4}, {"shadow": 0.3}]
PAPER = [{"noise": 5}, {"texture": 4}, {"paper": (30, 34, 30), "noise": 3}]
PAPER += [{"ruled": 24}, {"ruled": 20, "squared": True}, {"shadow": 0.4, "noise": 3}]


def test_an_empty_page_has_no_digit(model):
    """97 of 100 empty pages give no glyph, in any light; the other glyphs are doubtful."""
    blank = np.zeros((300, 240), np.float32)
    cases = [(np.random.default_rng(i), how) for i in range(10) for how in LIGHT + PAPER]
    glyphs = [extract(pages.page(blank, rng, **how)).images for rng, how in cases]

    assert np.mean([len(images) == 0 for images in glyphs]) >= 0.97
    assert reject_option.is_doubtful(model.probabilities(np.concatenate(glyphs))).all()


def test_only_the_digit_of_a_page_on_a_table_is_extracted():
    """Neither the table nor the page's edge is taken for ink."""
    table = np.full((240, 240, 3), 60, np.uint8)
    table[40:200, 50:190] = page("4", np.random.default_rng(0), shape=(160, 140))
    (box,) = extract(table).boxes

    assert (box[:2] > 50).all()
    assert (box[2:] < 190).all()


@pytest.mark.parametrize("width", [1, 2])
def test_a_long_hairline_is_a_digit(width):
    """In the smaller copy in which shadows are looked for, less than a pixel of it is left."""
    pixels = np.full((1000, 1000, 3), 255, np.uint8)
    pixels[20:920, 100 : 100 + width] = 0
    assert len(extract(pixels).boxes) == 1


def count_glyphs(shape, contrast=40):
    """Count the glyphs of a page with `shape`, 0..1, in gray of that contrast."""
    pixels = np.repeat((230 - contrast * shape)[..., None], 3, 2).astype(np.uint8)
    return len(extract(cv2.GaussianBlur(pixels, (0, 0), 0.8)).images)


def test_a_blurred_shape_is_a_shadow():
    """A ring with a soft outline is no digit; with a sharp outline it is one."""
    ring = cv2.circle(np.zeros((200, 200), np.float32), (100, 100), 52, 1.0, 16)
    soft, sharp = (cv2.GaussianBlur(ring, (0, 0), sigma) for sigma in (14, 2))

    assert (count_glyphs(soft / soft.max()), count_glyphs(sharp)) == (0, 1)


def test_a_faint_straight_line_from_border_to_border_is_a_fold():
    """A dark line may be a 1, and so may a faint line within the image."""
    line = np.zeros((200, 200))
    line[:, 90:102] = 1
    within = line.copy()
    within[:40] = within[160:] = 0

    assert (count_glyphs(line), count_glyphs(line, 150), count_glyphs(within)) == (0, 1, 1)


def test_strokes_of_any_shape_are_the_glyph_that_is_surely_there():
    """A letter as thick as it is high; and one that crosses the border at eight places."""
    thick, cut = (np.full((64, 64, 3), 255, np.uint8) for _ in range(2))
    thick[20:44, 22:42] = 0
    for end in ((0, 10), (0, 50), (63, 15), (63, 48), (20, 0), (45, 0), (15, 63), (50, 63)):
        cv2.line(cut, (32, 32), end, (0, 0, 0), 3)

    for pixels in (thick, cut):
        assert len(extract(pixels).images) == 0
        assert len(extract(pixels, several=False).images) == 1


@pytest.mark.parametrize("value", [0, 128, 255])
@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (28, 28), (500, 300)])
def test_an_image_of_one_color_has_no_digit(value, shape):
    """One pixel has none, and a large page neither."""
    assert len(extract(np.full((*shape, 3), value, np.uint8)).images) == 0


def test_noise_of_any_size_gives_valid_glyphs():
    """Shapes and boxes are as documented, and nothing is raised."""
    rng = np.random.default_rng(0)
    for _ in range(30):
        height, width = rng.integers(1, 60, 2)
        pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        glyphs = extract(pixels if rng.random() < 0.5 else (pixels > 200) * np.uint8(255))
        assert len(glyphs.boxes) == len(glyphs.rows) == len(glyphs.images)
        assert glyphs.images.shape[1:] == (28, 28)
        assert (glyphs.boxes >= 0).all()
        assert (glyphs.boxes <= [width, height, width, height]).all()


def test_scribbles_are_often_doubtful(model):
    """More than four in ten random polylines are below the threshold."""
    rng = np.random.default_rng(0)
    glyphs = []
    for _ in range(100):
        paper = Image.fromarray(empty(rng, (200, 200)))
        points = rng.uniform(30, 170, (rng.integers(6, 14), 2))
        ImageDraw.Draw(paper).line([tuple(p) for p in points], fill=(20, 20, 20), width=6)
        glyphs.append(extract(np.asarray(paper), several=False).images)

    assert reject_option.is_doubtful(model.probabilities(np.concatenate(glyphs))).mean() > 0.4
