"""What the exceptions of a tracking store mean."""

import pytest

from digits.project.errors import UserError
from digits.tracking import tracking_store


@pytest.mark.parametrize(("name", "rejected"), [("bad*name", True), ("good", False)])
def test_an_error_says_whether_a_later_try_may_work(project, client, name, rejected):
    """A rejected value is a plain UserError; any other failure is a StoreUnavailableError."""
    with pytest.raises(UserError) as caught, tracking_store.translate_errors("the store"):
        client.log_metric("0" * 32, name, 1.0)
    assert isinstance(caught.value, tracking_store.StoreUnavailableError) != rejected
    assert tracking_store.found_or_none(lambda: client.get_run("0" * 32)) is None
