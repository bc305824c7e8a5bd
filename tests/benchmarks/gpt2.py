"""Hugging Face's GPT-2 with the weights of a transformer of ours: a peer that must agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from common.data.torchvision_import import prepare_torchvision

if TYPE_CHECKING:
    from projects.transformer.model import Transformer

LAYERS = {
    # ours -> theirs, whose linear layers keep their weights transposed
    "attention.queries_keys_values": "attn.c_attn",
    "attention.out": "attn.c_proj",
    "feed_forward.inner": "mlp.c_fc",
    "feed_forward.out": "mlp.c_proj",
}
NORMS = {"attention_norm": "ln_1", "feed_forward_norm": "ln_2"}


def as_gpt2(model: Transformer) -> nn.Module:
    """A GPT2LMHeadModel of the same sizes, weights, dtype and mode.

    Raises:
        ValueError: if the model is not of GPT-2's kind: learned positions, normalisation first, tied
            embeddings, biases.
    """
    prepare_torchvision()  # which transformers imports
    from transformers import GPT2Config, GPT2LMHeadModel

    block = model.blocks[0]
    if model.position is None or model.head is not None or block.norm != "pre":
        raise ValueError("expected learned positions, tied embeddings and normalisation first")
    if block.attention.out.bias is None:
        raise ValueError("expected a model with bias=True, as GPT-2 has")
    width = model.embedding.embedding_dim
    config = GPT2Config(
        vocab_size=model.num_tokens,
        n_positions=model.context,
        n_embd=width,
        n_layer=len(model.blocks),
        n_head=block.attention.num_heads,
        n_inner=block.feed_forward.inner.out_features,
        activation_function="gelu",  # the exact one, as ours
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=None,
        eos_token_id=None,
        attn_implementation="sdpa",
    )
    state = {"wte.weight": model.embedding.weight, "wpe.weight": model.position.weight}
    state |= {"ln_f.weight": model.norm.weight, "ln_f.bias": model.norm.bias}
    for number, block in enumerate(model.blocks):
        for ours, theirs in (LAYERS | NORMS).items():
            layer = block.get_submodule(ours)
            weight = layer.weight.T.contiguous() if ours in LAYERS else layer.weight
            state |= {
                f"h.{number}.{theirs}.weight": weight,
                f"h.{number}.{theirs}.bias": layer.bias,
            }
    peer = GPT2LMHeadModel(config).to(model.embedding.weight.dtype)
    peer.transformer.load_state_dict(state)
    return peer.train(model.training)
