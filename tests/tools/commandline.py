"""What the tests of the command share: a run of it, and samples."""

import io
import subprocess
import sys

import numpy as np

import s3s4
from s3s4._command.main import main

COMMAND = [sys.executable, "-m", "s3s4"]
SAMPLE = np.random.default_rng(2).normal(0, 3, (4, 5, 3))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def s4_by_definition(x, k):
    weight = sigmoid(k * x)
    return weight * x / (1 + abs(x)) + (1 - weight) * sigmoid(x)


def run(*arguments, **options):
    """Run the command in a process of its own."""
    return subprocess.run([*COMMAND, *arguments], capture_output=True, timeout=60, **options)


def applied(source, target, *options):
    """Run ``apply`` on s4 without errors, and load what it wrote."""
    assert main(["apply", "s4", source, target, *options]) == 0
    return np.load(target)


def error_of(capfd, *arguments):
    """Run the command, which has to fail as a user's mistake does, and give its only line."""
    assert main(arguments) == 2
    output, error = capfd.readouterr()
    assert output == ""
    assert error.count("\n") == 1
    return error


def npy_bytes(x):
    file = io.BytesIO()
    np.save(file, x)
    return file.getvalue()


def written_s4(*numbers):
    """Write the S4 of numbers as the command does."""
    return [repr(float(s3s4.s4(x))) for x in numbers]
