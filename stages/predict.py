"""Say which digits are on pictures: files, folders, standard input.

    python -m stages.predict photo.png folder/ --json

Starts fast: neither torch nor MLflow is imported, unless a registered version is asked for.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from stages.lib import classifier, locate, sources
from stages.lib.answers import Answer, answers
from stages.lib.formats import Csv, Format, Json, Text, printable
from stages.lib.progress import Progress

Form = Literal["text", "json", "csv"]


def predict(
    names: list[str],
    *,
    model: str | None = None,
    several: bool | None = None,
    top: int = 1,
    form: Form = "text",
    previews: Path | None = None,
) -> int:
    """Print what the model says of each picture that `names` mean. Returns the exit status.

    0: each was read, whatever was found on it; 1: some were not; 2: none was. Ctrl-C ends
    the process with 130, a reader of the output that leaves with 141. Raises UserError for
    a model that cannot be used and for previews that would go among other files.
    """
    listed = list(sources.listed(names))
    loaded = classifier.load(locate.model_folder(model))
    printing = _format(form, min(top, len(loaded.classes)), listed)
    found = answers(listed, loaded, several, keep=previews is not None)
    if previews is not None:
        from stages.lib import preview  # drawing is rarely asked for

        preview.prepare(previews)
        found = preview.saved(found, previews)
    return _printed(found, printing, len(listed))


def _format(form: Form, top: int, listed: list[str]) -> Format:
    if form == "text":
        return Text(top, listed)
    return Json(top) if form == "json" else Csv(top)


def _printed(found: Iterator[Answer], printing: Format, total: int) -> int:
    """Print each answer as it comes; errors and progress go to standard error."""
    sys.stdout.reconfigure(errors="surrogateescape")  # type: ignore[union-attr]
    failed = done = 0
    progress = Progress(total)
    try:
        sys.stdout.write(printing.head)
        try:
            for done, answer in enumerate(found, start=1):
                progress.clear()
                failed += _tell(answer, printing)
                progress.tell(done)
        finally:
            progress.clear()
            sys.stdout.write(printing.tail)
            sys.stdout.flush()
    except KeyboardInterrupt:
        print(f"digits: interrupted after {done:,} of {total:,} files", file=sys.stderr, flush=True)
        os._exit(130)  # without waiting for a thread that waits for a pipe
    except BrokenPipeError:
        os._exit(141)  # without flushing into the closed pipe
    if failed == total:
        return 2
    return 1 if failed else 0


def _tell(answer: Answer, printing: Format) -> bool:
    """Print one answer. Returns whether the file could not be read."""
    if answer.look.problem:
        sys.stdout.flush()
        print(f"digits: {printable(answer.look.problem)}", file=sys.stderr, flush=True)
    sys.stdout.write(printing.line(answer))
    sys.stdout.flush()
    return bool(answer.look.problem)


if __name__ == "__main__":
    from stages import cli

    cli.main(["predict", *sys.argv[1:]])
