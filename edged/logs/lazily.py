"""Stands for a module that another one names at its start and uses in functions that nobody calls."""

import importlib
from types import ModuleType
from typing import Any


class Lazily(ModuleType):
    """Loads the module of this name when something of it is asked for."""

    def __getattr__(self, name: str) -> Any:
        """What the module has under this name."""
        if name.startswith("__"):  # what the import system asks of every module
            raise AttributeError(name)
        return getattr(importlib.import_module(self.__name__), name)
