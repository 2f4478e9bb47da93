"""Shapes and strides of arrays, wherever they lie: how few axes a walk over them needs."""

from collections.abc import Sequence
from typing import Any


def broadcast_strides(array: Any, shape: Sequence[int]) -> list[int]:
    missing = len(shape) - len(array.shape)
    return [0] * missing + [
        0 if length == 1 and wanted != 1 else stride
        for length, stride, wanted in zip(array.shape, array.strides, shape[missing:], strict=True)
    ]


def joined(shape: Sequence[int], strides: Sequence[list[int]]) -> tuple[list[int], list[list[int]]]:
    """The same memory with as few axes as it takes: neighbours that run on are one."""
    lengths: list[int] = []
    kept: list[list[int]] = [[] for _ in strides]
    for axis, length in enumerate(shape):
        if length == 1:
            continue
        runs_on = lengths and all(
            one[-1] == s[axis] * length for one, s in zip(kept, strides, strict=True)
        )
        if runs_on:
            lengths[-1] *= length
        else:
            lengths.append(length)
        for one, s in zip(kept, strides, strict=True):
            one[len(lengths) - 1 :] = [s[axis]]
    return lengths, kept


def padded(values: Sequence[int], count: int, filling: int) -> list[int]:
    return [filling] * (count - len(values)) + list(values)
