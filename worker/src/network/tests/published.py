"""Writes the table of `published.rs`: what torchvision's networks answer with weights and a picture made by a formula.

    pip install torch==2.11.0 torchvision==0.26.0
    python published.py

Value i of a tensor is u(fnv1a(name), i) in 0..1, stretched to a range that suits what the tensor is for.
"""

import math

import numpy
import torch
import torchvision

CLASSES = 5
NETWORKS = {
    "alexnet_owt": "alexnet",
    "squeezenet1_0": "squeezenet1_0",
    "squeezenet1_1": "squeezenet1_1",
    "mobilenet_v2": "mobilenet_v2",
    "efficientnet_b0": "efficientnet_b0",
    "resnet18": "resnet18",
    "resnet34": "resnet34",
    "resnet50": "resnet50",
    "densenet121": "densenet121",
    "vgg16": "vgg16",
}


def fnv1a(text):
    state = 0x811C9DC5
    for byte in text.encode():
        state = (state ^ byte) * 0x01000193 & 0xFFFFFFFF
    return state


def uniform(name, count):
    """MurmurHash3's final mix of the seed plus the index, over 2^32."""
    x = (numpy.arange(count, dtype=numpy.uint64) + fnv1a(name)) & 0xFFFFFFFF
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        x = ((x ^ (x >> shift)) * factor) & 0xFFFFFFFF
    return (x ^ (x >> 16)).astype(numpy.float64) / 2**32


def value(name, shape):
    u = uniform(name, math.prod(shape))
    if name == "pictures":
        u = 4 * u - 2
    elif name.endswith("running_var"):
        u = 0.3 + 1.7 * u
    elif len(shape) > 1:
        u = (2 * u - 1) * math.sqrt(6 / math.prod(shape[1:]))
    elif name.endswith(".weight"):
        u = 0.5 + u
    else:
        u = 0.4 * u - 0.2
    return torch.tensor(u.astype(numpy.float32)).reshape(shape)


def main():
    for ours, theirs in NETWORKS.items():
        network = torchvision.models.get_model(theirs, weights=None, num_classes=CLASSES).eval()
        with torch.no_grad():
            for name, tensor in network.state_dict().items():
                if not name.endswith("num_batches_tracked"):
                    tensor.copy_(value(name, tensor.shape))
            logits = network(value("pictures", (1, 3, 80, 80)))[0]
        learnt = sum(parameter.numel() for parameter in network.parameters())
        print(f'    ("{ours}", {learnt}, {[float(f"{x:.6g}") for x in logits.tolist()]}),')


if __name__ == "__main__":
    main()
