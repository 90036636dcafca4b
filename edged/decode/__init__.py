"""Raw outputs of a model to boxes: one file a family, pure NumPy, no clock, file, thread or socket."""
