"""The command ``edged``: parsing and printing only. Exit codes are those of the contract."""

import faulthandler
import os
import sys
import traceback
from typing import Annotated

import typer

from edged import __version__, logs
from edged.cli import benching, config, detect, model, run, score
from edged.cli.demo import demo
from edged.cli.watch import watch
from edged.errors import EdgedError
from edged.urls import redacted

BUG = 70
INTERRUPTED = 130

app = typer.Typer(
    name="edged",
    help="Cameras and sensors in, detections and scores out over MQTT.\n\n"
    "Example: edged run --camera rtsp://10.0.0.5/1 --model yolox.onnx",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command(help=run.HELP)(run.run)
app.command(help=detect.HELP)(detect.detect)
app.command(help=score.HELP)(score.score)
app.command(help=benching.HELP)(benching.bench)
app.command()(demo)
app.command()(watch)
app.add_typer(config.app, name="config")
app.add_typer(model.app, name="model")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"edged {__version__}")
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[  # eager, because it stands for a command
        bool,
        typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and end."),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Tracebacks and debug lines; may stand anywhere.")
    ] = False,
) -> None:
    del version, debug  # read before any command; by main, before anything can fail


def main() -> None:
    """Entry point of the program: one line for an error, an exit code for a supervisor."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1
    if not debug:
        _hush_native_code()
    logs.configure(debug=debug)
    try:
        app(arguments)
    except EdgedError as error:
        if debug:
            traceback.print_exc()
        print(redacted(f"edged: {error}"), file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # who read our output has gone
        sys.exit(0)
    except Exception as error:  # noqa: BLE001  # the last door: a bug of ours still ends in one line
        if debug:
            traceback.print_exc()
        line = redacted(f"edged: a bug: {type(error).__name__}: {error}")
        print(" ".join(line.split()) + "; run again with --debug and report what it prints", file=sys.stderr)
        sys.exit(BUG)


def _hush_native_code() -> None:
    """Keep what decoders print by themselves off standard error: what is wrong is said once, by us.

    Python's own standard error moves to a duplicate; the descriptor that native libraries write to leads nowhere.
    """
    sys.stderr.flush()
    ours = os.fdopen(os.dup(2), "w", buffering=1, encoding=sys.stderr.encoding, errors="backslashreplace")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    sys.stderr = ours
    faulthandler.enable(ours)
