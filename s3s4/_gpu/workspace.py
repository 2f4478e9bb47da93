"""Memory for what a call leaves nobody: sums that are not added up yet, and numbers."""

# Design:
# - Each stream has one piece, used by one call after another: what a stream is asked for is done in
#   order. Were memory taken and given back by each call, a pool could hand it to others while the
#   kernel is still to run, and without a pool giving back waits for the whole device.
# - An event says when the last call has done with it: a stream may be another's successor under the
#   same number.
# - In a graph it is the graph's own: it may be replayed beside any call.

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from s3s4._gpu import driver
from s3s4._gpu.driver import Event
from s3s4._gpu.toolchain import SIMULATED, cuda, pointer

LEAST = 1 << 16
"""Bytes: enough for the sums of most calls."""


class _Piece:
    """Memory, and what was asked of it last."""

    def __init__(self, size: int, stream: int) -> None:
        self.size = size
        self.memory: Any = cuda.device_array(size, "u1")
        self.event = None if SIMULATED else Event(stream)


_pieces: dict[tuple[int, int], _Piece] = {}
_outgrown: list[_Piece] = []
_lock = threading.Lock()


@contextmanager
def borrowed(size: int, device: int, stream: int) -> Iterator[int]:
    """The address of so many bytes for what a stream of the current device is asked for within.

    Parameters
    ----------
    size : int
    device : int
        The current one.
    stream : int
    """
    if driver.is_captured(stream):
        with driver.temporary(size, stream) as address:
            yield address
        return
    with _lock:
        piece = _pieces.get((device, stream))
        if piece is None or piece.size < size:
            if piece is not None:
                _outgrown.append(piece)  # the stream has not done with it
            piece = _pieces[device, stream] = _Piece(max(size, LEAST), stream)
        if piece.event is not None:
            piece.event.hold(stream)
        try:
            yield pointer(piece.memory)
        finally:
            if piece.event is not None:
                piece.event.record(stream)
