"""Trained models in use: check a model's files, load the model, and predict images with it.

`model_integrity` checks a folder with `model_manifest`, `onnx_check` and `verdict_cache`;
`classifier` loads it on ONNX Runtime. `prediction` goes from an image's bytes to glyphs and an
answer, `prediction_stream` does so for many files; `output_formats` and `prediction_images` show
the answers. Nothing here imports torch or MLflow, or knows a registry or HTTP.
"""
