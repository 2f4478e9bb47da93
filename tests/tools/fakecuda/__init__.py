"""A GPU's kernels without a GPU: their PTX as C, run with checks that no card makes."""
