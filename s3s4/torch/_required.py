"""PyTorch, new enough, or one line that says what is missing."""

OLDEST = (2, 10)

try:
    import torch
except ImportError as error:
    raise ImportError(
        f"s3s4.torch needs PyTorch >= {OLDEST[0]}.{OLDEST[1]}, which is not installed: "
        "pip install s3s4[torch]"
    ) from error

if tuple(int(part) for part in torch.__version__.split(".")[:2]) < OLDEST:
    raise ImportError(
        f"s3s4.torch needs PyTorch >= {OLDEST[0]}.{OLDEST[1]}, not {torch.__version__}"
    )
