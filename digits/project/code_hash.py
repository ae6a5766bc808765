"""Find the source files that a module imports, and hash them: the code that a result depends on."""

import functools
from modulefinder import ModuleFinder
from pathlib import Path

from digits.project import hashing

ROOT = Path(__file__).parents[2]


@functools.cache  # it takes 0.7 s, and each worker and trial of a search asks
def source_files(module: Path) -> tuple[Path, ...]:
    """Return `module` and every file of this project that it imports, directly or indirectly.

    Paths are relative to the project's root and sorted. `__init__.py` files are included.
    """
    finder = ModuleFinder([str(ROOT)])  # searches this folder alone: no other packages
    finder.run_script(str(module))
    files = [vars(imported)["__file__"] for imported in finder.modules.values()]
    return tuple(sorted({Path(file).resolve().relative_to(ROOT) for file in files if file}))


def source_hashes(module: Path) -> dict[str, str]:
    """SHA-256 of each file that `source_files` returns."""
    return {p.as_posix(): hashing.file_sha256(ROOT / p) for p in source_files(module)}
