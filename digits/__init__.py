"""Handwritten digits: from MNIST to a model that is trained, registered, served and compared.

The rooms, from the outermost to the innermost: cli, service and tuning, registry, training,
evaluation, tracking, inference, datasets, preprocessing, project. A module imports from its own
room and from rooms further down this list; `lint-imports` checks that. The pipeline's five
scripts are in `stages/`, outside of the package, and may import any room.
"""
