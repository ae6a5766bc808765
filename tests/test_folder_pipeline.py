"""A folder of one's own, from `digits data` to the page; DVC notices what changes in it."""

import base64
import json
import shutil

import cv2
import pytest
from sklearn.datasets import load_digits

from digits.datasets import split_files
from digits.project import params_file
from digits.project.atomic_files import read_json
from tests.conftest import call
from tests.drawing import CHROMIUM, DESKTOP, browser, opened, served
from tests.service.test_page_browser import PUT, expect_text

NAMES = ("zero", "eins é / uno", "two")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder with sixty digits of scikit-learn, three classes in words, listed in a table."""
    folder = tmp_path_factory.mktemp("pictures") / "my pictures"
    data, rows = load_digits(), ["file,label"]
    for label, name in enumerate(NAMES):
        (folder / str(label)).mkdir(parents=True)
        for i, image in enumerate(data.images[data.target == label][:20]):
            cv2.imwrite(str(folder / f"{label}/{i}.png"), (15.9 * image).astype("uint8"))
            rows.append(f"{label}/{i}.png,{name}")
    (folder / "labels.csv").write_text("\n".join(rows))
    return folder


@pytest.fixture(scope="module")
def checkout(clone, tmp_path_factory, pictures):
    """A clone after `digits data FOLDER --use`, few epochs, and `dvc repro`."""
    copied = tmp_path_factory.mktemp("folder") / "checkout"
    folder = shutil.copytree(clone, copied, ignore=shutil.ignore_patterns("raw"))
    call(folder, "digits", "data", str(pictures), "--use")
    params_file.write_values(folder / "params.yaml", {"train.epochs": 40})
    call(folder, "dvc", "repro")
    return folder


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_three_commands_lead_from_a_folder_to_the_page(checkout, pictures):
    """The page names the model, and shows the class of a picture that is dropped on it."""
    assert read_json(checkout / "metrics/register.json")["name"] == "my-pictures"
    with (
        served(checkout, "champion") as address,
        browser() as chromium,
        opened(chromium, address, **DESKTOP) as page,
    ):
        for label, name in enumerate(NAMES):
            content = base64.b64encode((pictures / f"{label}/3.png").read_bytes()).decode()
            page.evaluate(PUT, ["drop", "sheet", content])
            expect_text(page, name)
        assert page.get_by_role("heading", level=1).text_content().startswith("my-pictures")


def test_labels_are_ranked_by_file(checkout, pictures):
    """Training and validation images, by their names in the folder; git does not see the page."""
    printed = call(checkout, "digits", "data", "--labels", "--json").stdout
    labels = json.loads(printed)["labels"]
    assert len(labels) == 48
    assert all((pictures / label["file"]).is_file() for label in labels)
    assert (checkout / "metrics/labels.html").is_file()
    assert "labels.html" not in call(checkout, "git", "status", "--short").stdout


def test_a_changed_folder_is_split_again_and_an_unchanged_one_is_not(checkout, pictures):
    """An image that gets another label reruns `split`; MNIST is not downloaded."""

    def counts():
        return json.loads((checkout / "metrics/data.json").read_text())

    assert counts()["images"] == 60
    assert not any((checkout / "data/raw").iterdir())
    classes = split_files.load(checkout / "data/splits/test.npz").classes
    assert classes == ("eins é / uno", "two", "zero")
    assert json.loads(call(checkout, "dvc", "status", "split", "--json").stdout) == {}

    table = pictures / "labels.csv"
    table.write_text(table.read_text().replace("2/3.png,two", "2/3.png,zero"))
    call(checkout, "dvc", "repro", "split")
    assert (counts()["smallest_class"], counts()["largest_class"]) == (19, 21)
