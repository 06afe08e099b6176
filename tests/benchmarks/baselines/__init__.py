"""Baselines of the benchmark: tuned, independent of the engine."""
