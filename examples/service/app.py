"""S4 over HTTP, by any WSGI server that forks its workers.

gunicorn --preload --workers 2 app:application
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

import s3s4

# Before the workers are forked: s3s4 has used its threads, which the workers will not have.
s3s4.s4(np.zeros(1_000_000, np.float32))


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Take float32 numbers as they lie in memory, and give S4 of each."""
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    result = s3s4.s4(np.frombuffer(body, np.float32), k=2.0)
    headers = [
        ("Content-Type", "application/octet-stream"),
        ("Content-Length", str(result.nbytes)),
    ]
    start_response("200 OK", headers)
    return [result.tobytes()]
