"""`digits versions`: list the registered versions, with what the gate said of each."""


def versions() -> None:
    """List the registered versions, with what the gate said of each."""
    from stages.versions import versions as listed  # 2 s: MLflow

    listed()
