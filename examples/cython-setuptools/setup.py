"""Build layer.pyx, which says `cimport s3s4`."""

from Cython.Build import cythonize
from setuptools import Extension, setup

import s3s4

extension = Extension(
    "layer",
    ["layer.pyx"],
    include_dirs=[s3s4.get_include()],
    extra_compile_args=["-O3", "-fopenmp", "-fno-math-errno", "-fno-trapping-math"],
    extra_link_args=["-fopenmp"],
)
setup(ext_modules=cythonize([extension]))
