"""The two compiled modules under one name."""

from native_prefix._rust._native_prefix_codec import decode, encode
from native_prefix._rust._native_prefix_rs import as_fraction, parse, render, sample, scale, total

__all__ = ["as_fraction", "decode", "encode", "parse", "render", "sample", "scale", "total"]
