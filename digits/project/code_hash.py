"""TODO"""

from modulefinder import ModuleFinder
from pathlib import Path

from digits.project import hashing

ROOT = Path(__file__).parents[2]


def source_files(module: Path) -> list[Path]:
    """The file of a stage and every file of this project that it imports, directly or not.

    Paths are relative to the project's root and sorted; package `__init__.py` files count.
    """
    finder = ModuleFinder([str(ROOT)])  # looks nowhere else, so other packages stay out
    finder.run_script(str(module))
    found = [vars(module)["__file__"] for module in finder.modules.values()]
    return sorted({Path(path).resolve().relative_to(ROOT) for path in found if path})


def source_hashes(module: Path) -> dict[str, str]:
    """SHA-256 of each of a stage's source files."""
    return {p.as_posix(): hashing.file_sha256(ROOT / p) for p in source_files(module)}
