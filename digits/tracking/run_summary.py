"""What a person reads first of a run in MLflow: its recipe, what was changed, and a description.

Descriptions are Markdown. Each paragraph begins with its title and is replaced alone, so that
training, evaluation and registration each write their own, and what people add stays.
"""

from collections.abc import Mapping
from pathlib import Path

from digits.project.errors import UserError
from digits.tracking import run_context

RECIPE_TAG, CHANGED_TAG, GATE_TAG = "recipe", "changed", "gate"
PEOPLE_TAGS = (RECIPE_TAG, CHANGED_TAG)  # taken over by versions
NOT_REGISTERED = "not registered"
Flat = Mapping[str, str]  # values by dotted key, as `flatten_params` returns them


def summary_tags(root: Path, params: Mapping[str, object]) -> dict[str, str]:
    """Return the nearest recipe, and the values that differ from it.

    A value that the recipe does not have is compared with that of the last commit.
    `params` are those of a run in the checkout `root`. Empty when it has no valid params.yaml.
    """
    from digits.project import params_file  # 0.1 s: a reader of YAML

    values = run_context.flatten_params(params)
    try:
        recipes = params_file.read_yaml(root / "params.yaml")["recipes"]
        different = {name: _changes(values, recipe) for name, recipe in recipes.items()}
        name = min(different, key=lambda recipe: len(different[recipe]))
    except (UserError, LookupError, TypeError, AttributeError, ValueError):
        return {}
    others = {key: value for key, value in values.items() if key not in recipes[name]}
    changed = different[name] | _changes(others, _committed_values(root))
    recipe = f"{name}, changed" if different[name] else name
    return {RECIPE_TAG: recipe, CHANGED_TAG: format_values(changed) or "nothing"}


def _changes(values: Flat, reference: Mapping[str, object]) -> dict[str, str]:
    """Return those of `values` that `reference` has with another value."""
    others = run_context.flatten_params(reference)
    parse = run_context.parse_param
    return {k: v for k, v in values.items() if k in others and parse(others[k]) != parse(v)}


def _committed_values(root: Path) -> Mapping[str, object]:
    """Return the values of params.yaml in the last commit; nothing where there is none."""
    from digits.project import params_file

    values = params_file.parse_yaml(run_context.committed_text(root, "params.yaml"))
    return values if isinstance(values, dict) else {}


def format_values(values: Flat) -> str:
    """Format values as one line: model.mlp.hidden=[512, 256], train.epochs=3."""
    return ", ".join(f"{key}={value}" for key, value in values.items())


def replace_paragraph(note: str, title: str, text: str) -> str:
    """Return the Markdown `note` with `text` as the paragraph `title`; all others stay."""
    head = f"**{title}.**"
    paragraphs = [p for p in note.split("\n\n") if p]
    places = [i for i, p in enumerate(paragraphs) if p.startswith(head)]
    for i in places[:1] or [len(paragraphs)]:
        paragraphs[i : i + 1] = [f"{head} {text}"]
    return "\n\n".join(paragraphs)
