"""The folder of models: which file a name means (`reading`), and how a version gets into it (`adding`)."""

from edged.modelstore.reading import StoredModel, find_at, find_in_store

__all__ = ["StoredModel", "find_at", "find_in_store"]
