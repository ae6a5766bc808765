"""Tables of text for people."""

from collections.abc import Collection, Sequence


def format_table(
    head: Sequence[str], rows: Sequence[Sequence[str]], left: Collection[int] = (0,)
) -> str:
    """Columns under their heads: those whose index is in `left` to the left, others right."""
    cells = [[printable(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for row in cells:
        sized = enumerate(zip(row, widths, strict=True))
        padded = [c.ljust(w) if i in left else c.rjust(w) for i, (c, w) in sized]
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def printable(text: str) -> str:
    """`text` without what could steer a terminal or cannot be encoded: others wrote it."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
