"""The page about the model: everything `about` found, as HTML without script.

Every text is escaped; nothing is said of what is not recorded but that.
"""

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from stages.serving.served import LOCAL, Served

TEMPLATE = Path(__file__).parents[1] / "web" / "model.html"
MISSING = '<p class="quiet">Not recorded.</p>'
SHADES = (0, 1, 2, 4, 8)  # errors of a pair of classes from which a cell is darker
Facts = dict[str, Any]


def name(served: Served) -> str:
    """What people call the model that is served."""
    if served.version == LOCAL:
        return f"{served.name} ({LOCAL})"
    return f"{served.name} version {served.version}"


def page(served: Served, confidences: Sequence[int]) -> str:
    """The whole page; `confidences` are counts in equal bins of 0..1."""
    facts = served.about
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        name=escape(name(served)),
        figures="\n".join(_figures(facts)),
        lineage="\n".join(_lineage(facts, served.content)),
        promotion="\n".join(_promotion(facts)) or MISSING,
        histogram=_histogram(confidences),
        classes=_classes(facts.get("confusion")),
        confusion=_confusion(facts.get("confusion")),
        examples=_examples(facts.get("examples")),
    )


def _figures(facts: Facts) -> Iterable[str]:
    """The numbers that people ask for first."""
    for split in ("test", "validation"):
        found = facts.get(split)
        if found is None:
            yield _figure("-", f"{split} accuracy: not recorded", "")
        else:
            low, high = found["interval"]
            interval = f"95 % interval {low:.2%} to {high:.2%}, n = {found['n']:,}"
            yield _figure(f"{found['accuracy']:.2%}", f"{split} accuracy", interval)
    ece = facts.get("test", {}).get("ece")
    told = "-" if ece is None else f"{ece:.2%}"
    place = "not recorded" if ece is None else "on the test pictures"
    yield _figure(told, "calibration error (ECE)", place)
    count = facts.get("parameters")
    told = "-" if count is None else f"{count:,}"
    yield _figure(told, "parameters", str(facts.get("kind", "")) if count else "not recorded")


def _figure(number: str, what: str, detail: str) -> str:
    below = f'<span class="quiet">{escape(detail)}</span>' if detail else ""
    return f"<li><strong>{escape(number)}</strong><span>{escape(what)}</span>{below}</li>"


def _lineage(facts: Facts, content: str) -> Iterable[str]:
    """The names under which the model is known elsewhere, and what it was made of."""
    version, run, commit = (facts.get(key, {}) for key in ("version", "run", "commit"))
    number = " ".join(filter(None, [version.get("name"), str(version.get("number", ""))]))
    aliases = ", ".join(version.get("aliases", []))
    yield _fact("version", ", ".join(filter(None, [number, aliases])) or "not registered")
    yield _fact("registered", _when(version.get("registered", "")))
    yield _fact("model files", content, code=True)
    yield _fact("MLflow run", run.get("id", ""), code=True)
    yield _fact("trained", _when(run.get("started", "")))
    dirty = " with uncommitted changes" if commit.get("dirty") else ""
    yield _fact("git commit", commit.get("id", "") + dirty, code=True)
    for path, digest in (facts.get("data") or {"": ""}).items():
        yield _fact("data", f"{digest} {path}".strip(), code=True)


def _when(text: str) -> str:
    """An ISO time in UTC as people read it."""
    return text.replace("T", " ").replace("+00:00", " UTC")


def _fact(term: str, text: str, code: bool = False) -> str:
    shown = f"<code>{escape(text)}</code>" if code and text else escape(text or "not recorded")
    return f"<dt>{escape(term)}</dt><dd>{shown}</dd>"


def _promotion(facts: Facts) -> Iterable[str]:
    """The record of its promotion, and what the gate measured."""
    entries = facts.get("promotion")
    if entries:
        keys = ("when", "what", "who", "why")
        head = ["when (UTC)", "what", "who", "why"]
        yield _table("Entries of the record", head, [[e[key] for key in keys] for e in entries])
    gate = facts.get("gate")
    if gate:
        mode = "" if gate["mode"] == "enforce" else f" ({gate['mode']})"
        yield f"<p>The gate said <strong>{escape(gate['verdict'])}</strong>{escape(mode)}: "
        yield f"{escape(gate['why'])}.</p>"
        if gate["rows"]:
            caption = f"Measured on the same {gate['n']:,} validation pictures"
            yield _table(caption, gate["head"], gate["rows"])


def _table(
    caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "told"
) -> str:
    """A table of texts; the first cell of a row names it, the last one of `told` explains it."""
    titles = "".join(f'<th scope="col">{escape(title)}</th>' for title in head)
    lines = [
        f'<tr><th scope="row">{escape(first)}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in others)
        + "</tr>"
        for first, *others in rows
    ]
    body = "\n".join(lines)
    return (
        f'<div class="table"><table class="rows {kind}"><caption>{escape(caption)}</caption>'
        f"<thead><tr>{titles}</tr></thead><tbody>\n{body}</tbody></table></div>"
    )


def _classes(found: Facts | None) -> str:
    """The share of each class that is read rightly."""
    if found is None:
        return MISSING
    rows = []
    for digit, share in zip(found["classes"], found["recall"], strict=True):
        low, high = share["interval"]
        recall = f"{share['right'] / share['n']:.2%}"
        rows.append([digit, f"{share['n']:,}", recall, f"{low:.2%} to {high:.2%}"])
    head = ["class", "pictures", "recall", "95 % interval"]
    return _table("Recall of each class", head, rows, kind="")


def _confusion(found: Facts | None) -> str:
    """Rows are what was written, columns what was read."""
    if found is None:
        return MISSING
    titles = "".join(f'<th scope="col">{escape(c)}</th>' for c in found["classes"])
    lines = []
    for i, (digit, counts) in enumerate(zip(found["classes"], found["counts"], strict=True)):
        cells = "".join(f'<td class="{_shade(n, i == j)}">{n}</td>' for j, n in enumerate(counts))
        lines.append(f'<tr><th scope="row">{escape(digit)}</th>{cells}</tr>')
    body = "\n".join(lines)
    return (
        '<div class="table"><table class="matrix">'
        "<caption>Rows: what was written. Columns: what was read.</caption>"
        f"<thead><tr><td></td>{titles}</tr></thead><tbody>\n{body}</tbody></table></div>"
    )


def _shade(count: int, right: bool) -> str:
    """The class of a cell: right ones alike, wrong ones the darker the more."""
    return "d" if right else f"e{max(i for i, least in enumerate(SHADES) if count >= least)}"


def _histogram(counts: Sequence[int]) -> str:
    """Bars of the largest probabilities of late, as SVG stretched to the page's width."""
    total, most = sum(counts), max(counts, default=0)
    if not total:
        return '<p class="quiet">Nothing asked yet.</p>'
    bars = []
    for i, count in enumerate(counts):
        tall = round(100 * count / most, 2)
        title = f"<title>{i / len(counts):.0%} to {(i + 1) / len(counts):.0%}: {count:,}</title>"
        place = f'x="{i + 0.05:g}" y="{100 - tall:g}" width="0.9" height="{tall:g}"'
        bars.append(f"<rect {place}>{title}</rect>")
    sure = sum(counts[len(counts) * 9 // 10 :]) / total
    told = f"{total:,} digits; the answer's probability was 90 % or more for {sure:.1%} of them."
    return (
        f'<p>{told}</p><svg class="histogram" viewBox="0 0 {len(counts)} 100" role="img" '
        f'preserveAspectRatio="none" aria-label="Histogram of probabilities. {told}">'
        f"{''.join(bars)}</svg>"
        '<p class="axis quiet"><span>0%</span><span>50%</span><span>100%</span></p>'
    )


def _examples(picture: str | None) -> str:
    if picture is None:
        return MISSING
    text = "The first test pictures, each with the answer and its probability"
    return f'<img src="data:image/png;base64,{escape(picture)}" alt="{text}">'
