"""Everything MLflow: runs, the model registry, the local store and what waits to be sent.

The only package of the project that imports mlflow, and only inside functions: that import
takes 2 s, and it must come after `store.quiet()` has switched telemetry and chatter off.
"""
