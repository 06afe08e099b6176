"""Benchmarks of what tenants send: events and files."""
