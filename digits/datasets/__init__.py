"""Labelled images: where they come from, how they are stored, how they are shown.

Here are the sources (MNIST, torchvision's data sets, folders), their division into splits, the
split files (.npz) and the report of what is in them, the corrections that people send through
the service, and contact sheets of images. Decoding an image file and extracting its glyphs is
`preprocessing`; changing images to train on them is `training`.
"""
