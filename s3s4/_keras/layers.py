"""What the layers have in common."""

from collections.abc import Mapping, Sequence
from typing import Any

from keras import InputSpec, Layer, constraints, initializers, regularizers

from s3s4._keras.apply import apply

KINDS = {"initializer": initializers, "regularizer": regularizers, "constraint": constraints}


class Plain(Layer):
    """A layer without parameters."""

    activation: str

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        """Nothing to make."""
        self.built = True

    def call(self, inputs: Any) -> Any:
        """The values."""
        return apply(self.activation, inputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """That of the input."""
        return input_shape


class Parametric(Plain):
    """A layer whose parameters are learnt, for each element or along some axes, as PReLU's are."""

    def __init__(
        self,
        initial: Mapping[str, float],
        shared_axes: int | Sequence[int] | None,
        options: Mapping[str, Any],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.initial = {name: float(value) for name, value in initial.items()}
        if shared_axes is None:
            self.shared_axes = None
        else:
            self.shared_axes = [shared_axes] if isinstance(shared_axes, int) else [*shared_axes]
        for name, value in options.items():
            setattr(self, name, KINDS[name.rpartition("_")[2]].get(value))
        self.options = list(options)

    def build(self, input_shape: Any) -> None:
        """Make the parameters."""
        shape = list(input_shape[1:])
        for axis in self.shared_axes or ():
            shape[axis - 1 if axis > 0 else axis] = 1
        if None in shape:
            unknown = [axis for axis, size in enumerate(input_shape) if axis and size is None]
            raise ValueError(
                f"{type(self).__name__} needs to know the shape {tuple(input_shape)} beyond its "
                f"first axis, or shared_axes={unknown}"
            )
        for name, value in self.initial.items():
            initializer = getattr(self, f"{name}_initializer") or initializers.Constant(value)
            parameter = self.add_weight(
                shape=shape,
                name=name,
                initializer=initializer,
                regularizer=getattr(self, f"{name}_regularizer"),
                constraint=getattr(self, f"{name}_constraint"),
                autocast=False,  # as precise as what is computed with it
            )
            setattr(self, name, parameter)
        axes = {i: n for i, n in enumerate(input_shape) if i and shape[i - 1] != 1}
        self.input_spec = InputSpec(ndim=len(input_shape), axes=axes)
        self.built = True

    def call(self, inputs: Any) -> Any:
        """The values."""
        return apply(self.activation, inputs, *(getattr(self, name) for name in self.initial))

    def get_config(self) -> dict[str, Any]:
        """What the layer is made again from."""
        config = {**super().get_config(), **self.initial, "shared_axes": self.shared_axes}
        for name in self.options:
            config[name] = KINDS[name.rpartition("_")[2]].serialize(getattr(self, name))
        return config
