"""The ONNX form of a trained network: bytes of images in, calibrated logits out.

Running the file is in `inference.classifier`, checking one of unknown origin in
`inference.onnx_check`.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from digits.preprocessing.image_format import MNIST, ImageFormat
from digits.project.atomic_files import write_bytes
from digits.training.networks import normalize_images


class ExportedClassifier(nn.Module):
    """A trained network with the scaling of its input and the temperature of its logits."""

    def __init__(self, network: nn.Module, temperature: float) -> None:
        super().__init__()
        self.network = network
        self.temperature = temperature

    def forward(self, images: Tensor) -> Tensor:
        """(n, side, side) or (n, side, side, 3) uint8 -> (n, classes) float32 logits."""
        logits: Tensor = self.network(normalize_images(images))
        return logits / self.temperature


def export_onnx(
    network: nn.Module,
    temperature: float,
    description: dict[str, str],
    path: Path,
    image_format: ImageFormat = MNIST,
) -> None:
    """Write `network`, on the CPU, with its calibration to one ONNX file.

    Input `pictures` is uint8, output `logits` float32 (n, classes), for any n. The pictures are
    glyphs (n, side, side), or images of any size (n, height, width, 3), which the graph fits to
    the format first. `description` becomes the file's metadata. Equal weights give equal bytes:
    the exporter's notes about source files and call stacks are removed.
    """
    is_glyphs = image_format.kind == "glyphs"
    example = torch.zeros((2, *image_format.shape), dtype=torch.uint8)
    program = torch.onnx.export(
        ExportedClassifier(network, temperature).eval(),
        (example,),
        input_names=["pictures" if is_glyphs else "images"],
        output_names=["logits"],
        dynamic_shapes=({0: torch.export.Dim("n")},),
        dynamo=True,
        verbose=False,
    )
    assert program is not None
    proto = program.model_proto  # a new object at each access
    graph = proto.graph
    values = (*graph.input, *graph.output, *graph.initializer, *graph.value_info)
    for holder in (proto, graph, *graph.node, *values, *proto.functions):
        holder.ClearField("doc_string")
        holder.ClearField("metadata_props")
    if not is_glyphs:
        from digits.preprocessing import image_front  # imports ONNX Runtime

        image_front.put_before(graph, image_format)
    for key in sorted(description):
        proto.metadata_props.add(key=key, value=description[key])
    write_bytes(path, proto.SerializeToString(deterministic=True))
