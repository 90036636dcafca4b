"""What `benchmarks.tracking` is made of: scenes, scores, and the other sides."""
