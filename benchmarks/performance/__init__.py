"""What issue 8 must show, measured: ``python -m benchmarks.performance --help``."""
