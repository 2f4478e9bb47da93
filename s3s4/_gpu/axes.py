"""Shapes and strides of arrays, wherever they lie: how few axes a walk over them needs."""

from collections.abc import Sequence


def broadcast_strides(
    layout: tuple[Sequence[int], Sequence[int]], shape: Sequence[int]
) -> list[int]:
    """The strides of an array, given by its shape and strides, that is broadcast to a shape.

    An axis of one element has none, whatever its library says.
    """
    lengths, strides = layout
    missing = len(shape) - len(lengths)
    return [0] * missing + [
        0 if length == 1 else stride for length, stride in zip(lengths, strides, strict=True)
    ]


def as_they_lie(strides: Sequence[int]) -> list[int]:
    """The order of axes in which memory of some strides runs on."""
    return sorted(range(len(strides)), key=lambda axis: -abs(strides[axis]))


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
