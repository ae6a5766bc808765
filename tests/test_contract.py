"""dvc.yaml and the code say the same: a stage is a signature."""

import importlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from digits.project import code_hash, params_file, stage

ROOT = Path(__file__).parents[1]
PARAMS = params_file.load_params(ROOT / "params.yaml")
TEMPLATE = (ROOT / "dvc.yaml").read_text()
PIPELINE = yaml.safe_load(TEMPLATE.replace("${data.path}", PARAMS.data.path))["stages"]
STAGES = pytest.mark.parametrize("name", PIPELINE)


def function_of(name: str) -> Callable[..., None]:
    """The function that stage `name` runs."""
    function: Callable[..., None] = getattr(importlib.import_module(f"stages.{name}"), name)
    return function


def paths(entries: list[Any]) -> set[str]:
    """The paths of a list in dvc.yaml, whose entries may carry settings."""
    return {entry if isinstance(entry, str) else next(iter(entry)) for entry in entries}


def defaults(name: str, kind: Any) -> set[str]:
    """The path defaults of a stage's function: those before `*`, or those after it."""
    parameters = inspect.signature(function_of(name)).parameters.values()
    return {
        p.default.as_posix() for p in parameters if p.kind is kind and isinstance(p.default, Path)
    }


@STAGES
def test_deps_are_what_the_function_reads_and_imports(name):
    """`deps` are the path defaults before `*` and all files of the project that it imports."""
    sources = {p.as_posix() for p in code_hash.source_files(ROOT / f"stages/{name}.py")}
    read = defaults(name, inspect.Parameter.POSITIONAL_OR_KEYWORD)

    assert sources | read == paths(PIPELINE[name]["deps"]), f"stages/{name}.py and dvc.yaml differ"


@STAGES
def test_outputs_and_params_are_those_of_the_function(name):
    """`outs`, `metrics` and `plots` are the path defaults after `*`; `params` its sections.

    The stage is `python -m stages.<its name>` and says what it does.
    """
    entry = PIPELINE[name]
    assert (entry["cmd"], bool(entry["desc"])) == (f"python -m stages.{name}", True)
    written = [paths(entry.get(kind, [])) for kind in ("outs", "metrics", "plots")]
    sections = stage.section_arguments(function_of(name), PARAMS)

    assert defaults(name, inspect.Parameter.KEYWORD_ONLY) == set().union(*written)
    assert list(sections) == entry.get("params", [])


def test_only_evaluate_reads_the_test_pictures():
    """The test split is read by evaluate alone."""
    split = "data/splits/test.npz"
    assert [name for name in PIPELINE if split in paths(PIPELINE[name]["deps"])] == ["evaluate"]


def test_evaluate_depends_on_nothing_that_trains():
    """An edit of the loop, the networks or the augmentation scores no model again by itself."""
    modules = {Path(path).stem for path in paths(PIPELINE["evaluate"]["deps"])}

    trains = {"training_loop", "optimizer", "augmentation", "networks", "checkpoint"}
    assert not modules & trains


def test_every_recipe_leads_back_to_every_other():
    """All recipes of params.yaml set the same keys, and `mlp` sets the values of the file."""
    assert len({frozenset(changes) for changes in PARAMS.recipes.values()}) == 1
    assert params_file.with_recipe(PARAMS, "mlp") == PARAMS
