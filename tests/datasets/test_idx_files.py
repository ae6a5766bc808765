"""MNIST's original files are read, or named in an error of one line."""

import pytest

from digits.datasets.idx_files import read_mnist
from digits.datasets.mnist_source import FILES, FOLDER
from digits.project.errors import UserError

CONTENTS = [None, b"", b"\0\0\x08\x03", b"PK\x03\x04" * 8, b"\0\0\x08\x03" + b"\1" * 12]


@pytest.mark.parametrize("content", CONTENTS)
def test_a_missing_or_damaged_file_is_an_error(tmp_path, content):
    """None of the files has the length that its header promises, or there are no files."""
    (tmp_path / FOLDER).mkdir(parents=True)
    for name in FILES if content is not None else ():
        (tmp_path / FOLDER / name).write_bytes(content)

    with pytest.raises(UserError, match=r"^[^\n]* missing or damaged; `dvc repro -f download`"):
        read_mnist(tmp_path, train=True)
