"""What `digits` does with pictures: read them, and say how well."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from stages.lib.errors import UserError

app = typer.Typer(rich_markup_mode=None)
ModelOption = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL",
        help="A model's folder, or champion, challenger or a version's number. "
        "[default: models/digits of this project]",
    ),
]
SeveralOption = Annotated[
    bool | None,
    typer.Option(
        "--multi/--single", help="Several digits on each picture, or one. [default: automatic]"
    ),
]


@app.command()
def predict(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...", help="Pictures, folders, patterns, - for standard input."
        ),
    ],
    *,
    model: ModelOption = None,
    several: SeveralOption = None,
    top: Annotated[int, typer.Option(min=1, help="Answers per digit, the likeliest first.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="A list of objects, one per line.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="A table with a row per picture.")] = False,
    save_preview: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Draw what the network saw into this new folder."),
    ] = None,
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
    from stages.predict import predict as label  # 0.2 s: ONNX Runtime and OpenCV

    form: Literal["text", "json", "csv"] = "json" if json else "csv" if csv else "text"
    status = label(paths, model=model, several=several, top=top, form=form, previews=save_preview)
    raise typer.Exit(status)


@app.command()
def score(
    folder: Annotated[
        Path, typer.Argument(help="Pictures with a labels.csv, or in a sub-folder per class.")
    ],
    *,
    labels: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A table of labels elsewhere.")
    ] = None,
    model: ModelOption = None,
    several: SeveralOption = None,
    compare: Annotated[
        Literal["plain"] | None,
        typer.Option(help="Score plain resizing to 28 x 28 as well, for single digits."),
    ] = None,
    mistakes: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the mistakes into this PNG.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="All numbers as one object.")] = False,
) -> None:
    """Say how good the model is on your own labelled pictures.

    labels.csv has the columns `file` (relative to the table) and `label`, and may have
    `writer`. The label of several digits has / between rows. A picture that cannot be
    read, or on which no digit is found, counts as wrong.
    """
    from json import dumps

    from stages.lib.tally import report  # 2 s: scikit-learn
    from stages.score import score as measure

    plain = compare == "plain"
    numbers = measure(folder, labels, model=model, several=several, plain=plain, mistakes=mistakes)
    print(dumps(numbers, indent=2) if json else report(numbers))


@app.command()
def feedback(
    folder: Annotated[
        Path | None, typer.Option(metavar="DIR", help="[default: data/feedback of this project]")
    ] = None,
    *,
    sheet: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw all of it into this PNG.")
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write arrays to train on to this new folder."),
    ] = None,
) -> None:
    """Show what people said of answers on the page of `digits serve`.

    `digits score data/feedback` scores a model on it, and `dvc add data/feedback` makes a
    revision of it that git can name.

    --export writes feedback.npz, digits as the network sees them, in the form of
    data/splits/train.npz (`stages.lib.dataset.load` reads both), and provenance.json: for
    each digit the picture's SHA-256, the label, the answer, the model's version, the time.
    `dvc repro` trains on MNIST alone.
    """
    from stages.feedback import feedback as told  # 0.3 s: OpenCV

    print(told(folder, sheet=sheet, export=export))
