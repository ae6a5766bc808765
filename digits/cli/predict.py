"""`digits predict`: say which digits are on pictures.

Starts fast: neither torch nor MLflow is imported, unless a registered version is asked for.
"""

from pathlib import Path
from typing import Annotated

import typer

from digits.cli.options import ModelOption, SeveralOption
from digits.project.errors import UserError

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
    from digits.datasets import image_files
    from digits.inference import classifier, output_formats, prediction_stream
    from digits.registry import model_reference  # 0.2 s: ONNX Runtime

    files = list(image_files.list_images(paths))
    loaded = classifier.load(model_reference.resolve(model).folder)
    top = min(top, len(loaded.classes))
    form = (
        output_formats.JsonFormat(top)
        if json
        else output_formats.CsvFormat(top)
        if csv
        else output_formats.TextFormat(top, files)
    )
    found = prediction_stream.predict_files(files, loaded, several, keep=save_preview is not None)
    if save_preview is not None:
        from digits.datasets import contact_sheet
        from digits.inference import prediction_images  # drawing is rarely asked for

        contact_sheet.check_new_folder(save_preview, "the previews")
        found = prediction_images.save_previews(found, save_preview)
    raise typer.Exit(output_formats.print_predictions(found, form, len(files)))
