"""The C functions ask for no GIL: not in a thread while it is held, not after the interpreter."""

import shutil
import subprocess
import sysconfig

import pytest

import s3s4
from support import python

# Calls that start threads: contiguous, strided, rows in a tile, long rows.
MODULE = """
#include <Python.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include "s3s4.h"
enum { N = 400000 };
static s3s4_api api;
static double *x, *y, k = 5.0;
static void *work(void *unused) {
    const ptrdiff_t one = sizeof *x, two = 2 * one;
    (void)unused;
    api.s4_array_f64(N, x, one, &k, 0, y, one);
    api.s4_array_f64(N / 2, x, two, &k, 0, y, two);
    api.softmax_rows_f64(N / 8, 8, x, 8 * one, one, y, 8 * one, one);
    api.softmax_rows_f64(1, N, x, 0, one, y, 0, one);
    return NULL;
}
static void after_the_end(void) {
    pthread_t thread;
    work(NULL);
    if (pthread_create(&thread, NULL, work, NULL) || pthread_join(thread, NULL)) abort();
    puts("after the end");
    fflush(stdout);
}
static PyObject *in_a_thread(PyObject *self, PyObject *unused) {
    pthread_t thread;
    (void)self, (void)unused;
    if (pthread_create(&thread, NULL, work, NULL) || pthread_join(thread, NULL)) abort();
    return PyFloat_FromDouble(y[0]);
}
static PyMethodDef methods[] = {{"in_a_thread", in_a_thread, METH_NOARGS, NULL}, {0}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "held", NULL, -1, methods};
PyMODINIT_FUNC PyInit_held(void) {
    x = calloc(N, sizeof *x), y = calloc(N, sizeof *y);
    if (!x || !y) return PyErr_NoMemory();
    if (Py_AtExit(after_the_end) || s3s4_import(&api)) return NULL;
    return PyModule_Create(&module);
}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    cc = shutil.which("cc")
    if not cc:
        pytest.skip("there is no C compiler on this machine")
    folder = tmp_path_factory.mktemp("held")
    (folder / "held.c").write_text(MODULE)
    include = ["-I" + sysconfig.get_path("include"), "-I" + s3s4.get_include()]
    command = [cc, "-shared", "-fPIC", "-pthread", *include, "held.c", "-o", "held.so"]
    subprocess.run(command, cwd=folder, check=True)
    return folder


def test_threads_start_while_the_gil_is_held_and_after_the_interpreter_has_ended(folder):
    done = python(
        f"import sys; sys.path.insert(0, {str(folder)!r})\nimport held; print(held.in_a_thread())",
        S3S4_NUM_THREADS="3",
    )
    # The mean of 400 000 equal elements of a softmax comes last.
    assert done.stdout.split("\n") == [str(1 / 400_000), "after the end", ""]
