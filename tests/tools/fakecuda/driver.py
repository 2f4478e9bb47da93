"""What a test asks the driver that it runs on: calls, complaints, and other settings.

Where a program was started by run.py, or has loaded the driver itself.
"""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

_loaded: list[ctypes.CDLL] = []


def load(path: object = "libcuda.so.1") -> ctypes.CDLL:
    """The driver: the program's own where run.py started it, else the one that is named first."""
    if not _loaded:
        driver = ctypes.CDLL(str(path))
        driver.fake_calls.argtypes, driver.fake_calls.restype = [ctypes.c_char_p], ctypes.c_long
        driver.fake_set.argtypes, driver.fake_set.restype = (
            [ctypes.c_char_p, ctypes.c_long],
            ctypes.c_long,
        )
        driver.fake_complaint.restype = driver.fake_called.restype = ctypes.c_char_p
        _loaded.append(driver)
    return _loaded[0]


def is_here() -> bool:
    """Whether the driver of this process is this one."""
    try:
        load()
    except (OSError, AttributeError):
        return False
    return True


def complaints() -> list[str]:
    """What was found wrong since this was asked last."""
    driver = load()
    found = [
        driver.fake_complaint(i).decode() for i in range(min(driver.fake_complaint_count(), 200))
    ]
    driver.fake_forget()
    return found


def calls() -> dict[str, int]:
    """How often each function of the driver was called."""
    driver, names, index = load(), [], 0
    while name := driver.fake_called(index):
        names.append(name)
        index += 1
    return {name.decode(): driver.fake_calls(name) for name in names}


@contextmanager
def counted() -> Iterator[dict[str, int]]:
    """The calls of a block, once it has ended."""
    before, found = calls(), {}
    yield found
    found |= {n: c - before.get(n, 0) for n, c in calls().items() if c > before.get(n, 0)}


@contextmanager
def setting(**settings: int) -> Iterator[None]:
    """Settings of driver.c's head for a block, by their names without FAKECUDA_."""
    before = {name: load().fake_set(name.encode(), value) for name, value in settings.items()}
    try:
        yield
    finally:
        for name, value in before.items():
            load().fake_set(name.encode(), value)
