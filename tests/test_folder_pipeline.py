"""DVC watches a folder of one's own: what changes in it is noticed, and nothing else runs."""

import json
import shutil

import cv2
import pytest

from digits.datasets import split_files
from digits.project import params_file
from tests.conftest import call


@pytest.fixture
def checkout(clone, tmp_path, official):
    """A clone whose params.yaml names a folder outside of it, with sixty digits in words."""
    pictures = tmp_path / "my pictures"
    for label, name in enumerate(("zero", "eins é", "two")):
        (pictures / name).mkdir(parents=True)
        for i, image in enumerate(official.images[official.labels == label][:20]):
            cv2.imwrite(str(pictures / name / f"{i}.png"), image)
    folder = shutil.copytree(clone, tmp_path / "checkout", ignore=shutil.ignore_patterns("raw"))
    values = {"data.source": "folder", "data.path": str(pictures), "data.test": 0.2}
    params_file.write_values(folder / "params.yaml", values | {"augment.flagged_ones": 0})
    call(folder, "dvc", "repro", "split")
    return folder


def test_a_changed_folder_is_split_again_and_an_unchanged_one_is_not(checkout, tmp_path):
    """An image that is moved to another class reruns `split`; MNIST is not downloaded."""

    def counts():
        return json.loads((checkout / "metrics/data.json").read_text())

    assert counts()["images"] == 60
    assert not (checkout / "data/raw").exists()
    assert split_files.load(checkout / "data/splits/test.npz").classes == ("eins é", "two", "zero")
    assert json.loads(call(checkout, "dvc", "status", "split", "--json").stdout) == {}

    (tmp_path / "my pictures/two/3.png").rename(tmp_path / "my pictures/zero/moved.png")
    call(checkout, "dvc", "repro", "split")
    assert (counts()["smallest_class"], counts()["largest_class"]) == (19, 21)
