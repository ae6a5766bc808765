"""`digits predict`: say which digits are on pictures.

Starts fast: neither torch nor MLflow is imported, unless a registered version is asked for.
"""

from pathlib import Path
from typing import Annotated

import typer

from stages.cli.options import ModelOption, SeveralOption
from stages.lib.errors import UserError

PathsArgument = Annotated[
    list[str],
    typer.Argument(metavar="PATH...", help="Pictures, folders, patterns, - for standard input."),
]
PreviewOption = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Draw what the network saw into this new folder.")
]


def predict(
    paths: PathsArgument,
    *,
    model: ModelOption = None,
    several: SeveralOption = None,
    top: Annotated[int, typer.Option(min=1, help="Answers per digit, the likeliest first.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="A list of objects, one per line.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="A table with a row per picture.")] = False,
    save_preview: PreviewOption = None,
) -> None:
    """Say which digits are on pictures.

    PNG, JPEG, WebP, BMP, GIF or TIFF, of any size.

    Folders are searched with all below them, in order of names. Hidden files, and files
    whose extension is not a picture's, are left out there; of a file that you name, only
    the content counts.

    A picture without a digit gets `no digit`; what may be none is marked `doubtful`.
    Rows of several digits are separated by `/`. With --json and --csv, files that
    cannot be read are listed too, with the status `error`.

    Exit status: 0 when every file could be read, 1 when some could not, 2 when none could.
    """
    if json and csv:
        raise UserError("--json and --csv exclude each other; choose one")
    from stages.lib import answers, classifier, formats, locate, sources  # 0.2 s: ONNX Runtime

    files = list(sources.listed(paths))
    loaded = classifier.load(locate.model_folder(model))
    top = min(top, len(loaded.classes))
    form = formats.Json(top) if json else formats.Csv(top) if csv else formats.Text(top, files)
    found = answers.answers(files, loaded, several, keep=save_preview is not None)
    if save_preview is not None:
        from stages.lib import preview  # drawing is rarely asked for

        preview.check_new(save_preview, "the previews")
        found = preview.saved(found, save_preview)
    raise typer.Exit(formats.printed(found, form, len(files)))
