"""The fixtures of `tests.stores`, which the tests of the registry share."""

from tests.stores import *  # noqa: F403
