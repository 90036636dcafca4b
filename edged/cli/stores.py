"""Which store a command works on: ``--store``, or the one of the configuration."""

from pathlib import Path
from typing import Annotated

import typer

from edged.errors import ConfigurationError
from edged.settings import check_settings, find_config, load_settings

StoreOption = Annotated[
    Path | None,
    typer.Option("--store", help="Folder of models; default: store.path of the configuration."),
]
ConfigOption = Annotated[Path | None, typer.Option("-c", "--config", help="Configuration file.")]


def store_folder(store: Path | None, config: Path | None) -> Path:
    """The folder of models; without a configuration, that of the environment or the default.

    Raises:
        InputNotFound: The configuration is not there.
        ConfigurationError: It is wrong.
    """
    if store is not None:
        return store
    try:
        path = find_config(config)
    except ConfigurationError:
        return check_settings({}, name="environment").settings.store.path
    return load_settings(path).settings.store.path
