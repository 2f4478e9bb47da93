"""The activations as functions and modules of PyTorch, with gradients by x and every parameter.

Needs PyTorch, which the extra ``s3s4[torch]`` names; ``import s3s4`` alone never loads it.
"""

from s3s4.torch import _required as _required  # isort: skip
from s3s4.torch import _functions, _modules
from s3s4.torch._functions import *  # noqa: F403
from s3s4.torch._modules import *  # noqa: F403
from s3s4.torch._names import get

__all__ = ["get"]
__all__ += _functions.__all__
__all__ += _modules.__all__
