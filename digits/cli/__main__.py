"""`python -m digits.cli`: the same as `digits`."""

from digits.cli.main import main

main()
