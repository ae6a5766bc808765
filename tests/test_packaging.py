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
    files = {p.relative_to(ROOT / "digits") for p in (ROOT / "digits").rglob("*.*")}
    wanted = {path for path in files if "__pycache__" not in path.parts}
    packed = {p.relative_to(tmp_path / "site/digits") for p in (tmp_path / "site/digits").rglob("*.*")}

    assert packed == wanted
    assert [p.name for p in (tmp_path / "site").iterdir() if "dist-info" not in p.name] == ["digits"]
    program = "import digits.cli.main, sys; sys.exit('stages' in sys.modules)"
    subprocess.run([sys.executable, "-P", "-c", program], cwd=tmp_path / "site", check=True,
                   env={"PYTHONPATH": str(tmp_path / "site")})  # fmt: skip
