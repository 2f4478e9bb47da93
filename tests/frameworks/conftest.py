"""What the tests of several modules of one framework need."""

import pytest


@pytest.fixture
def _jax_in_double():
    """JAX in float64, compiling quickly: optimising takes longer than all that is computed."""
    jax = pytest.importorskip("jax", reason="JAX is not installed: it is in [frameworks]")
    jax.config.update("jax_disable_most_optimizations", True)
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)
