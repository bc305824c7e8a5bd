"""Named data sets as tensors: `load("digits")`, splits, preprocessing, batches, bits."""

from common.data.batches import Batches, permutation
from common.data.bits import bits_per_dim
from common.data.dataset import Dataset, Split
from common.data.errors import DataError, MissingData
from common.data.load import load
from common.data.padding import mask, pad
from common.data.preprocess import (
    Compose,
    DynamicBinarisation,
    Flatten,
    Logit,
    Pad,
    Preprocess,
    Scale,
    StaticBinarisation,
    UniformDequantisation,
)
from common.data.registry import DatasetInfo, get_info
from common.data.speech import MuLaw
from common.data.text import decode, encode

__all__ = [
    "Batches",
    "Compose",
    "DataError",
    "Dataset",
    "DatasetInfo",
    "DynamicBinarisation",
    "Flatten",
    "Logit",
    "MissingData",
    "MuLaw",
    "Pad",
    "Preprocess",
    "Scale",
    "Split",
    "StaticBinarisation",
    "UniformDequantisation",
    "bits_per_dim",
    "decode",
    "encode",
    "get_info",
    "load",
    "mask",
    "pad",
    "permutation",
]
