"""`digits data`: look at images, and write values for them into params.yaml."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from digits.cli.options import FILE, json_option
from digits.project.errors import UserError

if TYPE_CHECKING:
    from digits.datasets.data_look import DataLook

MAX_CLASSES = 60  # that are listed
MAKER = "digits data"  # stands in the PNG files made here, which may be overwritten
NAME = """A folder of images, or a data set: mnist, or torchvision:NAME such as
torchvision:FashionMNIST."""
USE = "Write the proposed values to params.yaml."
SHEET = "Draw some images of each class into this PNG file."
LABELS = "Rank the labels of the split by how much models/digits doubts them; takes no FOLDER."
LABEL_REPORT = "metrics/labels.html"
FIRST_LABELS = 10  # that are printed


@click.argument("name", metavar="FOLDER|NAME", required=False, type=click.Path(), help=NAME)
@click.option("--use", is_flag=True, help=USE)
@click.option("--sheet", metavar="FILE", type=FILE, help=SHEET)
@click.option("--labels", is_flag=True, help=LABELS)
@json_option
def data(name: str | None, sheet: Path | None, *, use: bool, labels: bool, as_json: bool) -> None:
    """Look at images, and propose values of params.yaml for them.

    Prints the classes with their counts, sizes, groups, and files that cannot be read. The folder
    has a sub-folder per class, or a table labels.csv. Nothing in it is ever changed.

    --use writes the proposal and estimates what a training costs; then `dvc repro` trains. To go
    back to MNIST: digits data mnist --use

    --labels finds wrong labels after a training: it writes the training and validation images
    whose labels the model doubts most to metrics/labels.html.

    Example: digits data pets --sheet pets.png
    """
    if labels == (name is not None) or (labels and (use or sheet)):
        raise UserError("expected a FOLDER or NAME to look at, or --labels alone")
    if labels:
        print(_rank_labels(as_json))
        return
    print(_look(str(name), sheet, use, as_json))


def _look(name: str, sheet: Path | None, use: bool, as_json: bool) -> str:
    """Look at a source, and return what `data` prints of it."""
    from digits.datasets import contact_sheet, data_look, data_report
    from digits.project import params_file, workspace
    from digits.project.data_params import DOWNLOADS
    from digits.project.thread_environment import set_thread_environment
    from digits.training import data_proposal

    if sheet is not None:
        contact_sheet.check_overwritable(sheet, MAKER)
    path = workspace.checkout_root() / "params.yaml"
    source = name if name == "mnist" or name.startswith("torchvision:") else "folder"
    found = data_look.look(source, name if source == "folder" else DOWNLOADS)
    proposal = data_proposal.propose(found, params_file.read_yaml(path)["recipes"])
    present = params_file.read_values(path, proposal)
    changes = {k: v for k, v in proposal.items() if present.get(k) != v}
    report: dict[str, Any] = {"found": _describe(found), "changes": changes, "cost": None}
    if sheet is not None:
        data_report.draw_sheet(found.sample, sheet, MAKER)
    if use:
        set_thread_environment()  # before torch is imported
        from digits.training.training_cost import estimate_cost

        params_file.write_values(path, changes)
        params, trained = params_file.load_params(path), int(data_proposal.TRAINED * found.images)
        report["cost"] = vars(estimate_cost(params, trained, len(found.classes)))
    return json.dumps(report, indent=2) if as_json else _format(report, present)


def _rank_labels(as_json: bool) -> str:
    """Write the page of doubted labels, and return them as JSON or the first ones as text."""
    from digits.datasets import split_files
    from digits.evaluation import label_doubts
    from digits.inference import classifier
    from digits.project import workspace
    from digits.project.text_table import format_table

    root = workspace.checkout_root()
    model = classifier.load(root / workspace.MODEL_OUTPUT)
    splits = {n: split_files.load(root / f"data/splits/{n}.npz") for n in ("train", "validation")}
    doubts = label_doubts.rank_labels(model, splits)
    label_doubts.write_page(doubts, root / LABEL_REPORT)
    if as_json:
        listed = [vars(label) for label in doubts.labels]
        counts = {"images": doubts.images, "other_answers": doubts.other_answers}
        return json.dumps({**counts, "labels": listed}, indent=2)
    rows = [
        [d.file, d.split, d.label, f"{d.probability:.1%}", d.answer, f"{d.answer_probability:.1%}"]
        for d in doubts.labels[:FIRST_LABELS]
    ]
    table = format_table(["image", "split", "label", "", "model's answer", ""], rows, (0, 1, 2, 4))
    first = f"{len(doubts.labels):,} of {doubts.images:,}"
    return f"{table}\n\n{LABEL_REPORT} shows the {first} images whose labels the model doubts most"


def _describe(found: "DataLook") -> dict[str, Any]:
    """Return what was found, as JSON has it."""
    low, high = (found.sizes.min(0), found.sizes.max(0)) if len(found.sizes) else ((), ())
    return {
        "images": found.images,
        "classes": found.classes,
        "parts": found.parts,
        "groups": found.groups,
        "smallest_size": list(map(int, low)),
        "largest_size": list(map(int, high)),
        "modes": found.modes,
        "color": found.color,
        "glyphs": found.glyphs,
        "unreadable": found.unreadable,
        "oddities": found.oddities,
    }


def _format(report: dict[str, Any], present: dict[str, Any]) -> str:
    """Return the report as text for a terminal."""
    from digits.project.params_file import format_value
    from digits.project.text_table import format_table, printable

    found, changes, cost = report["found"], report["changes"], report["cost"]
    sizes = (
        " x ".join(map(str, found["smallest_size"])),
        " x ".join(map(str, found["largest_size"])),
    )
    kind = "glyphs" if found["glyphs"] else "whole images"
    rows = [[name, f"{n:,}"] for name, n in list(found["classes"].items())[:MAX_CLASSES]]
    lines = [format_table(["class", "images"], rows)]
    if (rest := len(found["classes"]) - MAX_CLASSES) > 0:
        lines.append(f"and {rest:,} more classes")
    lines += [
        "",
        f"{found['images']:,} images of {len(found['classes']):,} classes, {kind}, "
        f"{'in color' if found['color'] else 'gray'}, {' to '.join(dict.fromkeys(sizes))} pixels",
        *(f"{name}: {n:,} images" for name, n in found["parts"].items()),
        *([f"groups: {found['groups']:,}"] if found["groups"] else []),
        *([f"modes: {_list(found['modes'])}"] if len(found["modes"]) > 1 else []),
        *map(printable, [*found["oddities"], *found["unreadable"]]),
    ]
    if not changes:
        return "\n".join([*lines, "", "params.yaml has the proposed values"])
    shown = [key for key in changes if not key.startswith(("recipes.", "tune.space."))]
    table = [[key, *map(format_value, (present[key], changes[key]))] for key in shown]
    state = "is changed" if cost else "would change; --use writes this"
    lines += ["", f"params.yaml {state}:", format_table(["", "from", "to"], table, (0, 1, 2))]
    if hidden := len(changes) - len(shown):
        lines.append(f"and {hidden} values of recipes and tune.space that follow from these")
    if cost:
        lines += ["", _format_cost(cost)]
    return "\n".join(lines)


def _format_cost(cost: dict[str, Any]) -> str:
    seconds, memory = cost["seconds"], cost["memory"] / 2**30
    time = f"{seconds:.1f} seconds" if seconds < 60 else f"{seconds / 60:.1f} minutes"
    needs = f"here an epoch takes about {time}, and {memory:.1f} GB of memory"
    return f"{cost['parameters']:,} parameters; {needs}. `dvc repro` trains."


def _list(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in counts.items())
