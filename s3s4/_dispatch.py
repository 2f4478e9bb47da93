"""Which device computes, and why."""

DEVICES = ("auto", "cpu", "gpu")
NO_GPU = "this version of s3s4 has no GPU backend"


def choose(device: object) -> str:
    """The device for a call that asked for one; None is "auto".

    Raises
    ------
    ValueError
        If there is no such device.
    RuntimeError
        If the GPU was asked for and cannot be had.
    """
    if device is None or device == "auto" or device == "cpu":
        return "cpu"
    if device == "gpu":
        raise RuntimeError(f"device='gpu' is not available: {NO_GPU}")
    raise ValueError(f"device must be one of {', '.join(DEVICES)}, not {device!r}")
