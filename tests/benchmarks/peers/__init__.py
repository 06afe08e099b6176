"""The peers of the benchmarks: what a good engineer writes by hand for one job, with the same guarantees."""
