"""What the package says of itself, nobody can change."""

from collections.abc import Mapping

import pytest

import s3s4


@pytest.mark.parametrize("name", ["s4", "relu", "softmax"])
def test_what_an_activation_says_of_itself_is_read_only(name):
    activation = s3s4.activations[name]
    said = {a: getattr(activation, a) for a in ("name", "parameters", "__name__", "__doc__")}
    for attribute in said:
        with pytest.raises(AttributeError, match=rf"{name}\.{attribute} is read-only"):
            setattr(activation, attribute, "other")
        with pytest.raises(AttributeError, match="read-only"):
            delattr(activation, attribute)
    with pytest.raises(AttributeError, match="read-only"):
        activation.colour = "red"
    with pytest.raises(TypeError):
        activation.parameters["k"] = 2
    for mapping in (activation.parameters, s3s4.activations, s3s4.c_functions):
        assert isinstance(mapping, Mapping)
        assert not hasattr(mapping, "pop")
        assert not hasattr(mapping, "clear")
        with pytest.raises(TypeError):
            mapping[name] = None
        with pytest.raises(TypeError):
            del mapping[name]
    assert said == {a: getattr(activation, a) for a in said}
