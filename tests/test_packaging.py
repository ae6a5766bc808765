"""What `pip install` puts into an environment: the package `digits`, whole, and nothing else."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.conftest import call

ROOT = Path(__file__).parents[1]


def test_the_wheel_holds_the_package_alone(tmp_path):
    """No top-level `stages`; the templates and pages are in it, and it imports from elsewhere."""
    source = tmp_path / "source"
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        source.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, source)
    for name in ("digits", "stages"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    command = ["-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "."]
    call(source, sys.executable, *command, "--wheel-dir", tmp_path)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        wheel.extractall(tmp_path / "site")
    site = tmp_path / "site"
    program = "import digits.cli.main, sys; sys.exit('stages' in sys.modules)"
    environment = {"PYTHONPATH": str(site)}

    assert {path.name for path in site.iterdir() if "dist-info" not in path.name} == {"digits"}
    assert files_of(site / "digits") == files_of(ROOT / "digits")
    subprocess.run([sys.executable, "-P", "-c", program], cwd=site, check=True, env=environment)


def files_of(folder):
    """Every file below `folder`, relative to it, without compiled ones."""
    files = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path for path in files if "__pycache__" not in path.parts}
