"""Download MNIST's four original files and check them: `python -m stages.download`."""

from pathlib import Path

from digits.datasets import mnist_source
from digits.project import stage


def download(*, raw: Path = Path("data/raw")) -> None:
    """Download the four files of MNIST to `raw`; no other stage uses the network."""
    mnist_source.download(raw)


if __name__ == "__main__":
    stage.main(download)
