"""Download the data set that params.yaml names: `python -m stages.download`."""

from pathlib import Path

from digits.datasets import mnist_source, torchvision_source
from digits.project import stage
from digits.project.data_params import DataParams


def download(data: DataParams, *, raw: Path = Path("data/raw")) -> None:
    """Download the files of MNIST, or of a data set of torchvision, to `raw`.

    No other stage uses the network. Nothing is downloaded for a folder of one's own.
    """
    raw.mkdir(parents=True, exist_ok=True)
    if data.source == "mnist":
        mnist_source.download(raw)
    elif data.source != "folder":
        torchvision_source.download(data.source, raw)


if __name__ == "__main__":
    stage.main(download)
