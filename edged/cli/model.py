"""``edged model``: look at a model before it is deployed, try it, find one, put one into the store."""

import typer

from edged.cli import catalog, evaluating, inspecting, testing

app = typer.Typer(
    help="Look at models and get them.\n\nExample: edged model inspect yolox_nano.onnx",
    no_args_is_help=True,
    rich_markup_mode=None,
)


app.command()(inspecting.inspect)
app.command(name="test")(testing.try_model)
app.command(name="eval")(evaluating.evaluate)
app.command()(catalog.catalog)
app.command()(catalog.add)


@app.callback()
def models() -> None:
    """Look at models and get them."""
