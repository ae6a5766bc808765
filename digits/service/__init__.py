"""The HTTP service and its web pages: `digits serve`.

Here: one process that follows the registry, worker processes that answer requests, the routes
of three protocols, access control, limits, metrics and logs. The pages' files are in `web`.

Not here: reading an image and running the network (`digits.inference`), choosing the version
(`digits.registry`), the stored feedback (`digits.datasets`), the command (`digits.cli`).
Workers load neither MLflow nor torch. The entry points are `processes.run_service` and
`access_control.read_tokens`.
"""
