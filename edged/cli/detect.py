"""``edged detect``: what a model sees in pictures and videos."""

import gc
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

import typer

from edged.cli.answering import answering
from edged.cli.areas import OVERLAP, Areas, CropOption, OverlapOption, TilesOption
from edged.cli.guessing import detect_request
from edged.cli.naming import model_info, utf8_name
from edged.errors import ConfigurationError, EdgedError, SourceLost, UsageError
from edged.machine import host_name
from edged.urls import redacted

if TYPE_CHECKING:
    from edged.annotated import Saver
    from edged.detection import Detections
    from edged.worker.description import ModelDescription
    from edged.worker.looking import Look, Seen
    from edged.worker.looks import Looks

Savers = Callable[[str], "AbstractContextManager[Saver | None]"]
"""What saves the frames of an input, by its name."""

HELP = """Find objects in pictures, folders, videos or camera streams.

Examples:
  edged detect bus.jpg -m yolox_nano.onnx
  edged detect clip.mp4 -m yolox_nano.onnx --json --every 5
  edged detect pictures/ -m yolox_nano.onnx --save seen/
  edged detect square-4k.jpg -m yolox_nano.onnx --tiles 3x2
"""


def detect(
    inputs: Annotated[
        list[str], typer.Argument(metavar="INPUT...", help="Picture, folder, video or camera URL.")
    ],
    *,
    model: Annotated[
        Path, typer.Option("-m", "--model", help="An ONNX file, a folder that holds one, or a bundled model.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="One detections message a line.")] = False,
    save: Annotated[
        Path | None,
        typer.Option(
            help="Write what is seen: a picture, a video, or a folder. There, the second x.jpg is called x-2.jpg."
        ),
    ] = None,
    min_score: Annotated[float | None, typer.Option(min=0, max=1, help="Default: the model's own.")] = None,
    provider: Annotated[list[str] | None, typer.Option(help="Provider in order; may be repeated.")] = None,
    every: Annotated[int, typer.Option(min=1, help="Look at every N-th frame of a video.")] = 1,
    crop: CropOption = None,
    tiles: TilesOption = None,
    overlap: OverlapOption = OVERLAP,
) -> None:
    areas = Areas.of(crop, tiles, overlap)
    if save is not None and save.suffix and len(inputs) > 1 and not os.path.isdir(save):  # noqa: PTH112  # Path.is_dir may raise
        raise UsageError("--save", f"{save} is one file for {len(inputs)} inputs", "name a folder")
    request = detect_request(str(model), provider, min_score)
    failed: list[EdgedError] = []

    def note(error: EdgedError) -> None:
        if not any(error is known for known in failed):
            failed.append(error)
            print(redacted(f"edged: {error}"), file=sys.stderr)

    with answering(request, meanwhile=_import_rest) as (answers, description):
        for reason in description.provider_refused:
            print(f"edged: passed over {reason}; {description.provider} is used", file=sys.stderr)
        look = areas.look(answers, description)
        printer = JsonPrinter(description) if as_json else PagePrinter(description)
        saver_of = saving(save, inputs)
        for name in inputs:
            try:
                look_at(name, look, printer, saver_of=saver_of, every=every, note=note)
            except EdgedError as error:
                note(error)
        printer.close()
    if failed:
        raise typer.Exit(failed[0].exit_code)


def _import_rest() -> None:
    """What is needed when the model is ready; whoever needs it says what is wrong.

    In no thread of its own: two that import parts of one package at once may see it half made.
    """
    with suppress(Exception):
        import edged.mqtt.payloads
        import edged.sources.stream
        import edged.worker.client
        import edged.worker.looks  # noqa: F401
    gc.freeze()  # what was loaded stays
    gc.enable()


class Printer(Protocol):
    """Where what was seen goes."""

    labels: tuple[str, ...]

    def show(self, seen: "Seen") -> None:
        """Take one frame."""
        ...


def look_at(
    name: str,
    look: "Look | Looks",
    printer: Printer,
    *,
    saver_of: Savers,
    every: int,
    note: Callable[[EdgedError], None],
) -> None:
    """Show each frame of an input to a model and hand what it found to a printer, and to a file.

    The frames of a camera are from its address without its password.

    Raises:
        UsageError: The input is an address that is none.
        EdgedError: It cannot be read to its end, the model does not answer, or nothing can be written.
    """
    from edged.sources.stream import read_frames

    with named_as_input(), saver_of(name) as saver:
        for frame in read_frames(name, name=redacted(name), every=every, on_bad=note, on_warning=_warn):
            seen = look.see(frame)
            printer.show(seen)
            if saver:
                saver.add(seen.frame, seen.detections, printer.labels)


def _warn(warning: EdgedError) -> None:
    print(redacted(f"edged: {warning}"), file=sys.stderr)


@contextmanager
def named_as_input() -> Iterator[None]:
    """Errors of a camera as they are where it stands under no key of a configuration and is read once.

    Raises:
        UsageError: Its address is none.
        SourceLost: It went away.
    """
    from edged.sources.faults import OPENED_AGAIN

    try:
        yield
    except ConfigurationError as error:
        raise UsageError("INPUT", error.problem, error.remedy) from error
    except SourceLost as error:
        if error.remedy != OPENED_AGAIN:
            raise
        remedy = "run this again once the camera is back"
        raise SourceLost(error.subject, error.problem, remedy) from error


def saving(target: Path | None, inputs: Sequence[str]) -> Savers:
    """What saves the frames of each input of a run under names of its own; nothing where there is no target.

    Args:
        target: See `edged.annotated.Saver`.
        inputs: All that this run reads.

    Raises:
        UsageError: The target is one of them.
    """
    if target is None:
        return lambda _name: nullcontext()
    from edged.annotated import FreeNames, Saver

    for name in inputs:
        if os.path.isdir(name) and Path(name).resolve() == target.resolve():  # noqa: PTH112  # as above
            raise UsageError("--save", f"{target} is an input, too", "name another folder")
    names = FreeNames(inputs)
    return lambda name: Saver(target, name, names)


class JsonPrinter:
    """One detections message of the contract a line, on standard output."""

    def __init__(self, description: "ModelDescription") -> None:
        from edged.mqtt.ids import MessageIds

        self._device = _device()
        self._model = model_info(description)
        self.labels = description.labels
        self._ids = MessageIds(clock=time.time, randomness=os.urandom)

    def show(self, seen: "Seen") -> None:
        """Print one."""
        sys.stdout.write(self.message(seen).decode() + "\n")
        sys.stdout.flush()

    def message(self, seen: "Seen") -> bytes:
        """The message of one frame."""
        from edged.mqtt.payloads import TimingMs, detections_message

        frame = seen.frame
        return detections_message(
            message_id=self._ids(),
            device=self._device,
            frame_source=utf8_name(frame.source),
            sequence=frame.sequence,
            captured_at_s=frame.captured_at_s,
            width=frame.width,
            height=frame.height,
            model=self._model,
            timing=TimingMs(
                queue=0.0,
                preprocess=seen.prepare_ms,
                inference=seen.inference_ms,
                decode=seen.decode_ms,
                age=max(0.0, (time.monotonic() - frame.captured_monotonic_s) * 1000),
            ),
            detections=seen.detections,
            labels=self.labels,
        )

    def close(self) -> None:
        """Nothing to add."""


def _device() -> str:
    """Name of this device, as the daemon has it; what says nothing of it need not be understood."""
    if not any(name.upper().startswith("EDGED_") for name in os.environ):
        return host_name()
    from edged.settings import check_settings

    return check_settings({}, name="environment").settings.device


class PagePrinter:
    """For people: a line a frame, a row an object."""

    def __init__(self, description: "ModelDescription") -> None:
        self.labels, self._frames, self._inference_ms = description.labels, 0, 0.0
        self._provider = description.provider

    def show(self, seen: "Seen") -> None:
        """Print one frame and what was found in it."""
        frame, found = seen.frame, seen.detections
        self._frames += 1
        self._inference_ms += seen.inference_ms
        count = f"{len(found)} object{'' if len(found) == 1 else 's'}"
        typer.echo(
            f"{frame.source} #{frame.sequence}  {frame.width} × {frame.height}  {count}  {seen.inference_ms:.1f} ms"
        )
        for row in self._rows(found):
            typer.echo(row)

    def _rows(self, found: "Detections") -> Iterator[str]:
        from edged.detection import label_of

        for box, score, class_id in zip(found.xyxy, found.score, found.class_id, strict=True):
            label = label_of(self.labels, int(class_id))
            corners = "  ".join(f"{value:7.1f}" for value in box)
            yield f"    {label:<20} {score:5.3f}  {corners}"

    def close(self) -> None:
        """Print how long a frame took, where there were several."""
        if self._frames > 1:
            typer.echo(
                f"{self._frames} frames, {self._inference_ms / self._frames:.1f} ms a frame on {self._provider}"
            )
