"""The project's own history, for airspeed velocity: ``cd benchmarks/asv && asv run``."""
