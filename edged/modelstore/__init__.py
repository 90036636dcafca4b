"""The folder of models: what stands in it (`survey`), what is written of it (`records`), how it gets in (`adding`)."""

from edged.modelstore.reading import StoredModel, find_at

__all__ = ["StoredModel", "find_at"]
