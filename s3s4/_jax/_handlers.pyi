# What XLA calls, as jax.ffi takes it: src/xla/handlers.c.
handler: object
