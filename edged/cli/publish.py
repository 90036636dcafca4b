"""``edged publish``: the publisher's side of `[updates]`; see docs/updates.md."""

import typer

from edged.cli import auditing, founding, publishing

app = typer.Typer(
    help="Publish models to boxes that follow a signed repository.\n\n"
    "Example: edged publish add my-model --name vehicles --rollout 10%",
    no_args_is_help=True,
    rich_markup_mode=None,
)


app.command()(founding.init)
app.command()(publishing.add)
app.command()(publishing.widen)
app.command()(publishing.withdraw)
app.command()(publishing.refresh)
app.command(name="list")(auditing.list_offers)
app.command()(auditing.show)
app.command()(auditing.verify)
app.command()(auditing.serve)
app.command()(founding.rotate)
app.command()(founding.renew)


@app.callback()
def publish() -> None:
    """Publish models to boxes that follow a signed repository."""
