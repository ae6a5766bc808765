"""A comparison as one HTML file that needs no server, no network and no script."""

import base64
import io
from html import escape
from pathlib import Path
from string import Template

from PIL import Image

from stages.lib.contrast import MADE_BY, Comparison, Ints, Side

TEMPLATE = Path(__file__).parents[1] / "web" / "compare.html"
MOST = 120  # pictures of one half


def page(found: Comparison) -> str:
    """The text of the file; everything in it is escaped or embedded."""
    low, high = found.difference_interval
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        made_by=MADE_BY,
        a=escape(found.a.name),
        b=escape(found.b.name),
        verdict=escape(found.verdict),
        difference=f"{found.difference:+.2%}",
        interval=f"{low:+.2%} to {high:+.2%}",
        p=f"{found.p_value:.2g}",
        n=f"{len(found.pictures):,}",
        scores="".join(_scores(found)),
        parameters="".join(_row(*row) for row in found.parameters) or _row("none differs", "", ""),
        notes="".join(f"<p class=note>{escape(note)}</p>" for note in _notes(found)),
        count_a=len(found.only_a),
        count_b=len(found.only_b),
        only_a=_cards(found, found.only_a, found.b),
        only_b=_cards(found, found.only_b, found.a),
    )


def _notes(found: Comparison) -> list[str]:
    return [f"{side.name}: {note}" for side in (found.a, found.b) for note in side.notes]


def _scores(found: Comparison) -> list[str]:
    """The rows that both models have."""
    sides = (found.a, found.b)
    shares = [found.accuracy(side) for side in sides]
    first, second = ([f"{share:.2%}", f"{low:.2%} to {high:.2%}"] for share, (low, high) in shares)
    return [
        _row("validation accuracy", first[0], second[0]),
        _row("95 % interval", first[1], second[1]),
        _row("right where the other errs", str(len(found.only_a)), str(len(found.only_b))),
        _row("ONNX file", *(f"{side.size / 1e6:.2f} MB" for side in sides)),
        _row("one picture, median", *(f"{side.seconds * 1e6:.0f} µs" for side in sides)),
        _row("SHA-256 of its files", *(side.content[:12] for side in sides)),
    ]


def _row(name: str, first: str, second: str) -> str:
    return f"<tr><th>{escape(name)}<td>{escape(first)}<td>{escape(second)}\n"


def _cards(found: Comparison, positions: Ints, wrong: Side) -> str:
    """The pictures at `positions`, each with its label and what the other model said."""
    if not len(positions):
        return "<p>None.</p>"
    cards = []
    for i in positions[:MOST]:
        label, said = (found.classes[k] for k in (found.pictures.labels[i], wrong.predicted[i]))
        image = _embedded(found, int(i))
        caption = f"{escape(label)}, not {escape(said)}"
        picture = f'<img src="{image}" alt="{caption}">'
        cards.append(f"<figure>{picture}<figcaption>{caption}</figcaption></figure>")
    more = len(positions) - len(cards)
    return "\n".join(cards) + (f"<p>and {more} more</p>" if more else "")


def _embedded(found: Comparison, position: int) -> str:
    """A picture as a data address, dark on light as people write."""
    buffer = io.BytesIO()
    Image.fromarray(255 - found.pictures.images[position]).save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
