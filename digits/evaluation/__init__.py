"""Numbers about trained models: scores, calibration, corruptions, comparisons, figures.

`evaluate_model` scores one model on the test images, `model_comparison` two models on the
validation images, and `slice_scores` a model on anybody's labelled files. The statistics below
them (`scores`, `significance`, `temperature_scaling`) take arrays alone.

Nothing here trains, imports torch or moves an alias: that is in `training` and `registry`.
"""
