"""What edged has to show beside others, measured: ``python -m benchmarks.performance --help``."""
