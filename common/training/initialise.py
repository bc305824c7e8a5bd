"""Torch's default initialisation, drawn from a generator that is passed."""

import math

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear as AttentionOutput

LINEAR = (nn.Linear, nn.Bilinear, _ConvNd)


@torch.no_grad()
def initialise(module: nn.Module, generator: torch.Generator) -> nn.Module:
    """Redraw torch's default initial values in place, so that nothing hangs on the global generator.

    Linear, bilinear and convolution layers: weight and bias from U(-1/sqrt(fan_in), 1/sqrt(fan_in)).
    Embeddings: N(0, 1), the padding row 0. Recurrent layers: U(-1/sqrt(H), 1/sqrt(H)). Multi-head
    attention: Xavier uniform projections, biases 0. Layers whose defaults are constants keep them.

    Args:
        module: any module; the layers are visited in the order of `module.modules()`.
        generator: a CPU generator, such as `run.init_generator`.

    Returns:
        The same module.

    >>> a, b = (initialise(nn.Linear(3, 2), torch.Generator().manual_seed(0)) for _ in range(2))
    >>> torch.equal(a.weight, b.weight)
    True
    """
    for layer in module.modules():
        if isinstance(layer, LINEAR):
            kernel = () if isinstance(layer, nn.Bilinear) else layer.weight.shape[2:]
            fan_in = layer.weight.shape[1] * math.prod(kernel)
            uniform(layer.weight, fan_in, generator)
            if layer.bias is not None and not isinstance(layer, AttentionOutput):
                uniform(layer.bias, fan_in, generator)
        elif isinstance(layer, nn.Embedding | nn.EmbeddingBag):
            layer.weight.normal_(generator=generator)
            if layer.padding_idx is not None:
                layer.weight[layer.padding_idx] = 0
        elif isinstance(layer, nn.RNNBase | nn.RNNCellBase):
            for parameter in layer.parameters(recurse=False):
                uniform(parameter, layer.hidden_size, generator)
        elif isinstance(layer, nn.MultiheadAttention):
            attention(layer, generator)
    return module


def uniform(parameter: torch.Tensor, fan_in: int, generator: torch.Generator) -> None:
    """Fill from U(-b, b) with b = 1/sqrt(fan_in)."""
    bound = 1 / math.sqrt(fan_in) if fan_in > 0 else 0.0
    parameter.uniform_(-bound, bound, generator=generator)


def attention(layer: nn.MultiheadAttention, generator: torch.Generator) -> None:
    """The projections that multi-head attention keeps as bare parameters (`out_proj` is a Linear)."""
    for name in ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight"):
        weight = getattr(layer, name)
        if weight is not None:
            nn.init.xavier_uniform_(weight, generator=generator)
    for bias in (layer.bias_k, layer.bias_v):
        if bias is not None:
            nn.init.xavier_normal_(bias, generator=generator)
