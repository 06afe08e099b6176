"""Benchmarks in one run, compared with peers in one table and one plot."""
