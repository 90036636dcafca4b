"""``edged config``: look at the configuration without touching the world."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from edged.settings import LoadedSettings, Settings, find_config, load_settings
from edged.urls import redacted

app = typer.Typer(
    help="Look at the configuration without touching the world.\n\nExample: edged config check -c edged.toml",
    no_args_is_help=True,
    rich_markup_mode=None,
)

File = Annotated[Path | None, typer.Option("-c", "--config", help="Configuration file.")]


@app.command()
def check(*, config: File = None) -> None:
    """Check a configuration; exit 78 and one line if it is wrong.

    Example: edged config check -c edged.toml
    """
    path = find_config(config)
    loaded = load_settings(path)
    for line in loaded.warnings():
        typer.echo(f"edged: {line}", err=True)
    settings = loaded.settings
    from edged.service.addresses import require_addresses, require_root

    require_addresses(loaded)
    require_root(loaded)
    held: dict[str, Mapping[str, object]] = {
        "camera": settings.cameras,
        "sensor": settings.sensors,
        "model": settings.models,
    }
    typer.echo(f"{path}: fine ({', '.join(_count(len(those), name) for name, those in held.items())})")


@app.command()
def show(
    *, config: File = None, as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False
) -> None:
    """Print the settings in force, secrets masked, each with where it came from.

    Example: edged config show -c edged.toml
    """
    loaded = load_settings(find_config(config))
    rows = list(_rows(loaded, loaded.settings.model_dump(mode="json"), ()))
    if as_json:
        typer.echo(
            json.dumps(
                [{"key": key, "value": value, "from": origin} for key, value, origin in rows], indent=2
            )
        )
        return
    width = max(len(f"{key} = {json.dumps(value)}") for key, value, _ in rows)
    for key, value, origin in rows:
        typer.echo(f"{f'{key} = {json.dumps(value, ensure_ascii=False)}':<{min(width, 80)}}  # {origin}")


@app.command()
def schema() -> None:
    """Print the JSON Schema of the configuration.

    Example: edged config schema > edged.schema.json
    """
    typer.echo(json.dumps(Settings.model_json_schema(), indent=2))


def _rows(loaded: LoadedSettings, value: Any, key: tuple[str, ...]) -> Any:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _rows(loaded, inner, (*key, name))
        return
    name = ".".join(key)
    shown = redacted(value) if isinstance(value, str) else value
    yield name, shown, loaded.origin.get(name, "default")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
