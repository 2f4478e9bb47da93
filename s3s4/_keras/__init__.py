"""Keras, new enough, or one line that says what is missing."""

from s3s4._extras import to_install

OLDEST = (3, 8)

try:
    import keras
except ImportError as error:
    raise ImportError(
        f"s3s4.keras needs Keras >= {OLDEST[0]}.{OLDEST[1]} and the backend it is set to, of which "
        f"{error.name} is not installed: {to_install('keras')}"
    ) from error

if tuple(int(part) for part in keras.__version__.split(".")[:2]) < OLDEST:
    raise ImportError(f"s3s4.keras needs Keras >= {OLDEST[0]}.{OLDEST[1]}, not {keras.__version__}")
