"""`python -m stages.cli` is `digits`."""

from stages.cli import main

main()
