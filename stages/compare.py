"""Two models side by side on the validation pictures; the test pictures are not touched."""

from collections.abc import Iterator
from pathlib import Path

from stages.lib import classifier, contrast, dataset, files, page
from stages.lib.contrast import MADE_BY, Comparison, Side
from stages.lib.errors import UserError
from stages.lib.tracking import find, lineage, subject
from stages.lib.tracking.origin import INPUT
from stages.lib.tracking.subject import Subject


def compare(a: str, b: str, validation: Path = Path("data/splits/validation.npz")) -> Comparison:
    """Compare what `a` and `b` mean: versions, aliases, runs, git revisions, files or folders.

    Raises UserError when one of them is no whole model, or when their classes differ.
    """
    path = files.workspace() / validation
    pictures = dataset.load(path)
    subjects = [subject.find(name) for name in (a, b)]
    models = [classifier.load(one.folder) for one in subjects]
    if models[0].classes != models[1].classes:
        raise UserError(f"{a} and {b} name other classes; compare models of the same classes")
    speeds = contrast.latencies(models, pictures)
    told = [_told(one, validation.as_posix(), files.sha256(path)) for one in subjects]
    sides = [
        Side(
            name=given if given == one.name else f"{given} ({one.name})",
            content=one.content,
            size=(one.folder / classifier.ONNX).stat().st_size,
            latency=speed,
            params=params,
            predicted=model.logits(pictures.images).argmax(1),
            notes=notes,
        )
        for given, one, model, speed, (params, notes) in zip(
            (a, b), subjects, models, speeds, told, strict=True
        )
    ]
    return contrast.compare(sides[0], sides[1], pictures, models[0].classes)


def write(found: Comparison, html: Path | None, png: Path | None) -> None:
    """Write the comparison to files, where paths are given.

    Raises UserError, having written nothing, when one of them is there and is no comparison.
    """
    for path in filter(None, (html, png)):
        if path.exists() and MADE_BY.encode() not in path.read_bytes()[:2000]:
            raise UserError(f"{path} is there and is no comparison; give another name")
    if html is not None:
        files.write_bytes(html, page.page(found).encode())
    if png is not None:
        with files.replacing(png) as partial:
            page.draw(found, partial)


def _told(model: Subject, path: str, digest: str) -> tuple[dict[str, str], list[str]]:
    """The parameters of a model, and what speaks against judging it by these pictures.

    All parameters are those of its run; without it, those of the network that it carries.
    """
    run = find.run(str(model.manifest["run_id"]))
    if run is None:
        own = lineage.flatten(model.manifest["network"], "model.")
        return own, ["its run is in no store that answers: whether it has seen them is unknown"]
    data = run.store.client.get_run(run.run_id).data
    same = data.tags.get(f"{INPUT}{path}") == digest
    notes = [] if same else ["it was trained on another split: it may have seen some of them"]
    return dict(data.params), notes


def text(found: Comparison) -> Iterator[str]:
    """The comparison as lines for a terminal."""
    sides = (found.a, found.b)
    rows = [["", "A", "B"]]
    shares = [found.accuracy(side) for side in sides]
    rows.append(["validation accuracy", *(f"{share:.2%}" for share, _ in shares)])
    rows.append(["95 % interval", *(f"{low:.2%} to {high:.2%}" for _, (low, high) in shares)])
    rows.append(["right where the other errs", str(len(found.only_a)), str(len(found.only_b))])
    rows.append(["size", *(f"{side.size / 1e6:.2f} MB" for side in sides)])
    rows.append(["one picture", *(f"{side.latency * 1e6:.0f} µs" for side in sides)])
    rows += [list(row) for row in found.parameters]
    for letter, side in zip("AB", sides, strict=True):
        yield f"{letter}  {side.name}  {side.content[:12]}"
    yield ""
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    for name, first, second in rows:
        yield f"{name:{widths[0]}}  {first:>{widths[1]}}  {second:>{widths[2]}}".rstrip()
    yield ""
    low, high = found.difference_interval
    yield (
        f"A - B {found.difference:+.2%} (95 % interval {low:+.2%} to {high:+.2%}) on "
        f"{len(found.pictures):,} validation pictures, exact McNemar p = {found.p_value:.2g}: "
        f"{found.verdict}"
    )
    for letter, side in zip("AB", sides, strict=True):
        yield from (f"note: {letter}: {note}" for note in side.notes)
