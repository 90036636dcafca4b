"""``edged model``: look at a model before it is deployed, try it, find one, store it, choose its version."""

import typer

from edged.cli import catalog, evaluating, inspecting, quantizing, store, testing

app = typer.Typer(
    help="Look at models, get them, choose their versions.\n\nExample: edged model inspect yolox_nano.onnx",
    no_args_is_help=True,
    rich_markup_mode=None,
)


app.command()(inspecting.inspect)
app.command(name="test")(testing.try_model)
app.command(name="eval")(evaluating.evaluate)
app.command()(quantizing.quantize)
app.command()(catalog.catalog)
app.command()(catalog.add)
app.command(name="list")(store.list_models)
app.command()(store.activate)
app.command()(store.rollback)
app.command()(store.remove)


@app.callback()
def models() -> None:
    """Look at models, get them, choose their versions."""
