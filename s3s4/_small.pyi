from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

SIMPLE: frozenset[type]

class SmallCalls:
    @property
    def ufunc(self) -> np.ufunc: ...
    def __init__(
        self,
        ufunc: np.ufunc,
        parameters: Mapping[str, float],
        small: int,
        is_left_to_ufunc: Callable[[int], bool],
    ) -> None: ...
    def __call__(self, x: Any, *parameters: Any, **options: Any) -> Any: ...
    def _call(
        self, ufunc: np.ufunc, x: Any, parameters: tuple[Any, ...], options: dict[str, Any]
    ) -> Any: ...
