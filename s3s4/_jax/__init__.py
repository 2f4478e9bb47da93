"""JAX, new enough, or one line that says what is missing."""

from s3s4._extras import to_install

OLDEST = (0, 7)

try:
    import jax
except ImportError as error:
    raise ImportError(
        f"s3s4.jax needs JAX >= {OLDEST[0]}.{OLDEST[1]}, which is not installed: "
        f"{to_install('jax')}"
    ) from error

if jax.__version_info__[:2] < OLDEST:
    raise ImportError(f"s3s4.jax needs JAX >= {OLDEST[0]}.{OLDEST[1]}, not {jax.__version__}")
