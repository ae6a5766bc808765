"""From the bytes of an image file to the 28 x 28 glyphs that a network reads.

`image_decoding` gives upright RGB pixels; `digit_extraction` calls the steps after that in
order: `foreground` separates ink from the background, `connected_components`, `frame_removal`
and `line_removal` keep what may belong to digits, `segmentation` groups it into digits,
`artifact_filter` drops shadows and folds, `glyph_normalization` makes MNIST-like glyphs.
Nothing here knows a network, a model file or a data set.
"""
