"""Format tables of text for a terminal."""

from collections.abc import Collection, Sequence

Row = Sequence[str]


def format_table(head: Row, rows: Sequence[Row], left: Collection[int] = (0,)) -> str:
    """Align cells below their column heads: columns in `left` to the left, others to the right."""
    cells = [[printable(cell) for cell in row] for row in (head, *rows)]
    columns = []
    for i, column in enumerate(zip(*cells, strict=True)):
        width = max(map(len, column))
        columns.append([c.ljust(width) if i in left else c.rjust(width) for c in column])
    return "\n".join("  ".join(line).rstrip() for line in zip(*columns, strict=True))


def printable(text: str) -> str:
    """Escape the characters of foreign text that control a terminal or cannot be encoded."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
