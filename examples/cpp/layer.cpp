// An extension module that computes a layer with the variant and the threads of the installed s3s4.
#include <Python.h>

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include "s3s4.h"

namespace py = pybind11;
using Array = py::array_t<float, py::array::c_style | py::array::forcecast>;

static s3s4_api api;

// s4(x + bias, k), written over a new array.
static Array layer(const Array &x, float bias, float k) {
    Array out(x.request().shape);
    const float *from = x.data();
    float *to = out.mutable_data();
    const py::ssize_t n = x.size();
    py::gil_scoped_release release;
    for (py::ssize_t i = 0; i < n; i++) to[i] = from[i] + bias;
    api.s4_array_f32(n, to, sizeof(float), &k, 0, to, sizeof(float));
    return out;
}

PYBIND11_MODULE(layer, module) {
    if (s3s4_import(&api) < 0) throw py::error_already_set();
    module.def("layer", &layer, py::arg("x"), py::arg("bias"), py::arg("k") = 5.0f);
}
