"""What an activation says of itself, which nobody may change: its calls would not follow."""

from collections.abc import Mapping
from types import MappingProxyType


class Described:
    """An object with a name, parameters and documentation; public attributes are read-only."""

    name: str
    parameters: Mapping[str, float]

    def __init__(self, name: str, parameters: Mapping[str, float], doc: str) -> None:
        vars(self).update(
            name=name,
            parameters=MappingProxyType(dict(parameters)),
            __name__=name,
            __qualname__=name,
            __doc__=doc,
        )

    def __setattr__(self, attribute: str, value: object) -> None:
        if not _is_private(attribute):
            raise AttributeError(f"{self.name}.{attribute} is read-only")
        super().__setattr__(attribute, value)

    def __delattr__(self, attribute: str) -> None:
        raise AttributeError(f"{self.name}.{attribute} is read-only")

    def __reduce__(self) -> str:
        return self.name


def _is_private(attribute: str) -> bool:
    return attribute.startswith("_") and not attribute.startswith("__")
