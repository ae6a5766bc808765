"""The five stages of dvc.yaml, one script each; their work is done by the rooms of `digits`."""
