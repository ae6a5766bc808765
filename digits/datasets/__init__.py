"""Labelled images: where they come from, how they are stored, how they are shown.

Here are the download and the split of MNIST, the split files (.npz), folders of image files with
labels, the corrections that people send through the service, and contact sheets of images.
Decoding an image file and extracting its glyphs is `preprocessing`; changing images to train on
them is `training`.
"""
