"""PyTorch, new enough, or one line that says what is missing."""

from s3s4._extras import to_install

OLDEST = (2, 10)

try:
    import torch
except ImportError as error:
    raise ImportError(
        f"s3s4.torch needs PyTorch >= {OLDEST[0]}.{OLDEST[1]}, which is not installed: "
        f"{to_install('torch')}"
    ) from error

if tuple(int(part) for part in torch.__version__.split(".")[:2]) < OLDEST:
    raise ImportError(
        f"s3s4.torch needs PyTorch >= {OLDEST[0]}.{OLDEST[1]}, not {torch.__version__}"
    )
