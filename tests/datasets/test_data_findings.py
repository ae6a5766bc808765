"""The data report finds planted faults, and shows them."""

import cv2
import numpy as np
import pytest

from digits.datasets import data_findings, data_report, duplicates
from digits.datasets.duplicates import find_near_duplicates
from digits.datasets.image_source import SourceImages
from digits.preprocessing.image_format import MNIST, ImageFormat


def again(i, image):
    """An image stored as JPEG, shifted by a pixel, or made brighter."""
    if i % 3 == 0:
        return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 75])[1], 0)
    if i % 3 == 1:
        return np.roll(image, ((1, 0), (0, -1), (-1, 1))[i // 3 % 3], (0, 1))
    return np.clip(image * 1.2 + 10 * (i // 3 % 2), 0, 255).astype(np.uint8)


def test_planted_near_duplicates_are_found_and_few_others(official):
    """Of 50 in 10,000 images of MNIST at least 45 are found, and at most 5 false pairs."""
    images = official.images[:10_000]
    planted = np.stack([again(i, image) for i, image in enumerate(images[::200])])
    pairs = find_near_duplicates(np.concatenate([images, planted])).tolist()

    right = [[200 * i, 10_000 + i] for i in range(50)]
    assert sum(pair in right for pair in pairs) >= 45
    assert sum(pair not in right for pair in pairs) <= 5


def test_images_that_are_all_alike_take_no_time(official):
    """Six hundred copies with a little noise, flat ones among them; one in red is another."""
    noise = np.random.default_rng(0).integers(0, 3, (600, 28, 28), np.uint8)
    images = np.minimum(official.images[0], 250) + noise
    images[:10] = 7
    assert find_near_duplicates(images)[:, 0].min() >= 10
    color = np.repeat(images[:20, ..., None], 3, axis=3)
    color[15] = color[15] * np.array([1, 0, 0], np.uint8)
    pairs = find_near_duplicates(color).tolist()
    assert pairs
    assert all(a >= 10 and 15 not in (a, b) for a, b in pairs)


@pytest.fixture
def findings(official):
    """Findings of 300 images with planted faults; files are named by ten persons."""
    images, labels = official.images[:300].copy(), official.labels[:300].copy()
    images[10], labels[10] = images[0], labels[0]
    images[11], labels[11] = images[1], (labels[1] + 1) % 10
    images[12] = np.roll(images[2], 1, 0)
    indices = {"train": np.arange(200), "validation": np.arange(200, 250)}
    indices["test"] = np.arange(250, 300)
    images[260] = images[0]
    keys = duplicates.content_keys(images)
    names = [f"{labels[i]}/person{i % 10}_{i}.png" for i in range(300)]
    classes = (*map(str, range(9)), "<b>neun & é")
    nothing, sizes = np.full(300, ""), np.full((300, 2), 28)
    bad = [("x.png", "x.png: an empty file; an image was expected")]
    bad += [("\udcff.png", "\udcff.png: an empty file; an image was expected")]
    source = SourceImages(
        images, labels, classes, MNIST, nothing, nothing, names, sizes, unreadable=bad
    )
    kept, dropped = duplicates.without_leaks(keys, indices)
    return data_findings.find(source, keys, kept, dropped)


def test_planted_faults_are_counted(findings):
    """Equal images, one of them across splits, labels that conflict, near ones, unreadable ones."""
    counts = findings.counts()

    assert (counts["images"], counts["unreadable"], counts["dropped"]) == (300, 2, 2)
    assert findings.equal == [(0, 10), (0, 260), (1, 11)]
    assert findings.conflicts[-1] == (1, 11)
    assert (2, 12) in findings.near
    assert "10 different words, such as person0, person1, person2" in findings.hint


def test_the_page_shows_what_was_found(findings):
    """One page without outside addresses or scripts; a name of a class is text, not HTML."""
    page = data_report.render_page(findings)

    assert "&lt;b&gt;neun &amp; é" in page
    assert "<b>neun" not in page
    assert "an empty file" in page
    assert b"\\udcff.png" in page.encode()
    assert "persons" in page
    assert "http" not in page
    assert "<script" not in page
    assert page.count("data:image/png;base64,") >= 10 + 3


def test_color_images_of_any_size_are_shown(findings, official):
    """Pictures larger than those on the page are reduced."""
    color = np.repeat(official.images[:300, ..., None], 3, axis=3)
    large = np.repeat(np.repeat(color, 8, axis=1), 8, axis=2)
    fields = {**vars(findings.source), "images": large, "format": ImageFormat("images", 224, 3)}
    kept = {name: value for name, value in vars(findings).items() if name != "splits"}
    page = data_report.render_page(
        data_findings.Findings(**{**kept, "source": SourceImages(**fields)})
    )

    assert "224 x 224 pixels, in color" in page
    assert len(page) < 1_500_000
