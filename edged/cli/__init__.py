"""The command ``edged``: parsing and printing only. Exit codes are those of the contract.

A command's module is loaded when it is called: most of a short command's time is loading. What runs a model in a
process of its own has that process started first, so that the two load side by side.
"""

import faulthandler
import gc
import os
import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

from edged import __version__
from edged.cli import streams
from edged.errors import EdgedError, UsageError
from edged.worker.starting import ask_ahead, end_ahead, start_ahead

if TYPE_CHECKING:
    import typer

BUG = 70
INTERRUPTED = 130

COMMANDS = {
    "run": "run",
    "detect": "detect",
    "score": "score",
    "bench": "benching",
    "demo": "demo",
    "watch": "watch",
    "fleet": "fleet",
    "doctor": "doctor",
    "status": "status",
    "install-service": "installing",
    "uninstall-service": "installing",
}
"""The module of each; the function is called as the command is, with _ for -."""
GROUPS = ("config", "model", "publish")
MODEL_FIRST = frozenset({"run", "detect"})
"""What they do first with all their might is to load a model."""
SILENT = frozenset({"detect"})
"""They load nothing that writes a log: it would take a tenth of their start."""

MAY_BE_EMPTY = frozenset(
    {"--fields", "--columns", "--delimiter", "--time", "--missing", "--echo", "--format", "--needs-edged"}
)
"""Options of text. Any other empty word is taken for a variable of a shell that was not set: as a path it would be the
current folder."""


def program(name: str = "") -> "typer.Typer":
    """The parser of the command line.

    Args:
        name: The only command to load; all of them where there is none of that name.
    """
    import typer

    def print_version(wanted: bool) -> None:
        if wanted:
            typer.echo(f"edged {__version__}")
            raise typer.Exit

    def options(
        *,
        version: Annotated[  # eager, because it stands for a command
            bool,
            typer.Option(
                "--version", is_eager=True, callback=print_version, help="Print the version and end."
            ),
        ] = False,
        debug: Annotated[
            bool, typer.Option("--debug", help="Tracebacks and debug lines; may stand anywhere.")
        ] = False,
    ) -> None:
        del version, debug  # read before any command; by main, before anything can fail

    app = typer.Typer(
        name="edged",
        help="Cameras and sensors in, detections and scores out over MQTT.\n\n"
        "Example: edged run --camera rtsp://10.0.0.5/1 --model yolox.onnx",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(options)
    known = {**COMMANDS, **{group: group for group in GROUPS}}
    for one in [name] if name in known else known:
        module = import_module(f"edged.cli.{known[one]}")
        if one in GROUPS:
            app.add_typer(module.app, name=one)
        else:
            function: Callable[..., Any] = getattr(module, one.replace("-", "_"))
            app.command(help=_help(module))(function)
    _leave_files_to_us(app)
    return app


def main() -> None:
    """Entry point of the program: one line for an error, an exit code for a supervisor."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1
    streams.prepare(arguments)
    command = next((argument for argument in arguments if not argument.startswith("-")), "")
    if command in MODEL_FIRST and "--help" not in arguments and os.name == "posix":
        _start_model(command, arguments)
    from edged.urls import redacted

    if not debug:
        _hush_native_code()
    if command not in SILENT:
        from edged import logs

        if debug:
            from edged.logs.native import listen, take_over

            end = take_over()
        logs.configure(debug=debug)
        if debug:
            listen(end)
    try:
        code = _command(command, arguments)
        sys.stdout.flush()
        sys.exit(code)
    except EdgedError as error:
        sys.exit(_say(error, debug=debug))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        streams.drop_output()
        sys.exit(0)
    except Exception as error:  # noqa: BLE001  # the last door: a bug of ours still ends in one line
        if refused := streams.output_refused(error):
            sys.exit(_say(refused, debug=debug))
        if debug:
            print(redacted(traceback.format_exc()), file=sys.stderr)
        line = redacted(f"edged: a bug: {type(error).__name__}: {error}")
        print(" ".join(line.split()) + "; run again with --debug and report what it prints", file=sys.stderr)
        sys.exit(BUG)
    finally:
        gc.enable()
        end_ahead()


def _say(error: EdgedError, *, debug: bool) -> int:
    from edged.urls import redacted

    if debug:
        print(redacted(traceback.format_exc()), file=sys.stderr)
    print(redacted(f"edged: {error}"), file=sys.stderr)
    return error.exit_code


def _command(command: str, arguments: list[str]) -> int:
    """Run a command; its exit code."""
    _refuse_empty(arguments)
    if command == "run":
        from edged.cli.plain import plain_run

        if plain := plain_run(arguments):
            from edged.cli.serving import end_process, serve_file

            end_process(serve_file(plain.config, once=plain.once))
    import typer

    refused: Any = typer.BadParameter.__base__  # the parser's UsageError, which has no other public name
    try:
        code = typer.main.get_command(program(command)).main(arguments, "edged", standalone_mode=False)
    except refused as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # it says the help, which is no error
            error.show()
            return int(error.exit_code)
        raise _usage_error(error) from error
    except typer.Abort:
        raise KeyboardInterrupt from None
    return code if isinstance(code, int) else 0


def _refuse_empty(arguments: list[str]) -> None:
    before = ""
    for argument in arguments:
        option, equals, value = argument.partition("=")
        if not argument.startswith("--") or not equals:
            option, value = before, argument
        if not value and option not in MAY_BE_EMPTY:
            subject = option if option.startswith("-") else "an argument"
            raise UsageError(subject, "is empty", "name what it is for; is a variable of the shell not set?")
        before = argument


def _usage_error(error: Any) -> UsageError:
    path = error.ctx.command_path if error.ctx else "edged"
    said = error.format_message().rstrip(".")
    return UsageError(path, f"{said[:1].lower()}{said[1:]}", f"see {path} --help")


def _help(module: Any) -> str | None:
    r"""What a command says of itself; ``\b`` keeps its examples on lines of their own, to be copied."""
    text: str | None = getattr(module, "HELP", None)
    return text.replace("\n\nExamples:", "\n\n\b\nExamples:") if text else None


def _leave_files_to_us(app: "typer.Typer") -> None:
    """Have the parser look at no file: what may not be read is said by who reads it, with the code for that."""
    for command in app.registered_commands:
        for annotation in getattr(command.callback, "__annotations__", {}).values():
            for option in getattr(annotation, "__metadata__", ()):
                option.readable = False
    for group in app.registered_groups:
        if group.typer_instance:
            _leave_files_to_us(group.typer_instance)


def _start_model(command: str, arguments: list[str]) -> None:
    gc.disable()  # until the command is loaded, which leaves no garbage: looking for it takes a tenth of the time
    start_ahead()
    if command == "detect":
        from edged.cli.guessing import guessed

        request = guessed(arguments)
        if request:
            ask_ahead(request.to_json())


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
