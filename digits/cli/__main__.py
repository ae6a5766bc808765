"""`python -m digits.cli`: the same as `digits`."""

from digits.cli import start

start()
