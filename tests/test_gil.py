"""The C functions ask for no GIL: not in a thread while it is held, not after the interpreter."""

import platform
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
extern int refusing __attribute__((weak));
static void *work_without_memory(void *unused) {
    (void)unused;
    refusing = 1;
    api.softmax_rows_f64(N / 8, 8, x, 64, 8, y, 64, 8);
    api.softmax_rows_f64(8, N / 16, x, 8, 64, y, 8, 64);
    api.softmax_vjp_rows_f64(1, 8, x, 0, 8, x + 8, 0, 8, x, 0, 8);
    refusing = 0;
    return NULL;
}
static PyObject *without_memory(PyObject *self, PyObject *unused) {
    pthread_t thread;
    (void)self, (void)unused;
    if (pthread_create(&thread, NULL, work_without_memory, NULL) || pthread_join(thread, NULL))
        abort();
    return Py_BuildValue("ddd", y[0], y[N - 1], x[0]);
}
static PyMethodDef methods[] = {
    {"in_a_thread", in_a_thread, METH_NOARGS, NULL},
    {"without_memory", without_memory, METH_NOARGS, NULL},
    {0}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "held", NULL, -1, methods};
PyMODINIT_FUNC PyInit_held(void) {
    x = calloc(N, sizeof *x), y = calloc(N, sizeof *y);
    if (!x || !y) return PyErr_NoMemory();
    if (Py_AtExit(after_the_end) || s3s4_import(&api)) return NULL;
    return PyModule_Create(&module);
}
"""


# There is no memory for more than a page while `refusing`: threads need some of their own.
REFUSES = """
#include <stddef.h>
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
int refusing;
void *malloc(size_t size) { return refusing && size > 4095 ? NULL : __libc_malloc(size); }
void *calloc(size_t n, size_t size) {
    return refusing && n * size > 4095 ? NULL : __libc_calloc(n, size);
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
    command = [cc, "-shared", "-fPIC", "-O1", "-pthread", *include, "held.c", "-o", "held.so"]
    subprocess.run(command, cwd=folder, check=True)
    return folder


def test_threads_start_while_the_gil_is_held_and_after_the_interpreter_has_ended(folder):
    done = python(
        f"import sys; sys.path.insert(0, {str(folder)!r})\nimport held; print(held.in_a_thread())",
        S3S4_NUM_THREADS="3",
    )
    # The mean of 400 000 equal elements of a softmax comes last.
    assert done.stdout.split("\n") == [str(1 / 400_000), "after the end", ""]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="refuses memory in front of glibc")
@pytest.mark.skipif(
    "libomp" in str(s3s4.build_config()["openmp"]),
    reason="libomp ends the process when it has no memory for a thread that is new to it",
)
def test_rows_without_memory_are_computed_one_by_one_and_ask_for_no_gil(folder):
    (folder / "refuses.c").write_text(REFUSES)
    command = ["cc", "-shared", "-fPIC", "refuses.c", "-o", "refuses.so"]
    subprocess.run(command, cwd=folder, check=True)
    done = python(
        f"import sys; sys.path.insert(0, {str(folder)!r})\n"
        "import held; print(held.without_memory())",
        S3S4_NUM_THREADS="1",
        LD_PRELOAD=str(folder / "refuses.so"),
    )
    # Means of equal elements: of 25 000 in columns, of 8. The output in the gradient's place: NaN.
    assert done.stdout.split("\n")[0] == str((1 / 25_000, 1 / 8, float("nan")))
