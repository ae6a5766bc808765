"""Versions of the registered model: made, found, downloaded, checked, promoted and pruned.

A reference (a folder, an alias, a version number, a run id or a git revision) becomes a
checked model in `model_reference`. The alias log, in the registry and in
metrics/aliases.jsonl, keeps every change of champion and challenger. The promotion rules
decide which alias a new version gets.

How runs are written and stores are reached is in `digits.tracking`; what makes the files of
a folder a valid model is in `digits.inference`; the commands are in `digits.cli`.
"""
