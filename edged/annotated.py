"""Pictures and videos with what was seen drawn into them, written under another name first and renamed at the end."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import av
import cv2

from edged.detection import Detections
from edged.drawing import draw
from edged.errors import CannotWrite, UsageError
from edged.frame import Frame, Plane
from edged.preprocess import to_bgr
from edged.sources import address

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
VIDEO_SUFFIXES = frozenset({".mp4", ".mkv", ".mov"})
NOT_WRITTEN = (
    frozenset(
        {".avi", ".flv", ".h264", ".hdr", ".m4v", ".mjpeg", ".mjpg", ".mpeg", ".mpg", ".ogv", ".ts", ".webm"}
    )
    | {".3gp", ".wmv"}
    | address.PICTURE_SUFFIXES
) - PICTURE_SUFFIXES
"""Of files that are only read, or not at all; a folder of such a name would be a surprise."""
RAW_VIDEO_SUFFIXES = frozenset({".mjpeg", ".mjpg"})
"""Of videos that look like a picture to who reads only their beginning."""
JPEG_QUALITY = 92
VIDEO_RATE = 25


class Saver:
    """Writes the frames of one input. A context manager; a video is finished when it ends.

    An input's frames become pictures where the input is a picture or a folder, and one video otherwise.
    """

    def __init__(self, target: Path, source: str, names: "FreeNames") -> None:
        """Decide what is written where.

        Args:
            target: A picture, a video, or (without such a suffix) a folder that is made if need be.
            source: The input as the user named it.
            names: Of all that this run writes.

        Raises:
            UsageError: A suffix that is neither, a folder of pictures into one file, or what is read itself.
            CannotWrite: The folder cannot be made.
        """
        path = Path(source)
        is_folder = _is_folder(path)
        self._pictures = is_folder or _is_picture(path)
        self._video: _Video | None = None
        suffixes = PICTURE_SUFFIXES if self._pictures else VIDEO_SUFFIXES
        self._folder: Path | None = None
        self._file = target
        if target.suffix.lower() in NOT_WRITTEN and not _is_folder(target):
            allowed = f"name a folder, or a file of {sorted(suffixes)}"
            raise UsageError("--save", f"{target} has a suffix that is not written", allowed)
        if target.suffix.lower() not in PICTURE_SUFFIXES | VIDEO_SUFFIXES or _is_folder(target):
            self._folder = target
        elif target.suffix.lower() not in suffixes or is_folder:
            what = "a folder of pictures" if is_folder else "a picture" if self._pictures else "a video"
            raise UsageError(
                "--save", f"{target} does not suit {what}", f"name a folder, or a file of {sorted(suffixes)}"
            )
        self._stem, self._names = path.stem if _is_there(source) else "camera", names
        self._refuse_to_write_over(path, target, is_folder=is_folder)
        try:
            (self._folder or target.parent).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CannotWrite(
                str(target), f"cannot be made ({error.strerror})", "name another place"
            ) from error

    def _refuse_to_write_over(self, source: Path, target: Path, *, is_folder: bool) -> None:
        written = self._file
        if self._folder:
            written = self._folder if is_folder else self._folder / source.name
            if self._pictures and not is_folder:
                written = self._folder / _picture_name(source)
            elif not self._pictures:
                written = self._folder / f"{self._stem}.mp4"
        if _is_there(str(source)) and written.resolve() == source.resolve():
            raise UsageError("--save", f"{target} would write over {source}", "name another place")

    def __enter__(self) -> "Saver":
        return self

    def __exit__(self, *_: object) -> None:
        if self._video:
            self._video.close()

    def add(self, frame: Frame, detections: Detections, labels: tuple[str, ...]) -> None:
        """Draw into a frame and write it.

        Raises:
            CannotWrite: Disk full, no permission, or a picture that the format does not take.
        """
        picture = draw(to_bgr(frame), detections, labels)
        if self._pictures:
            _write_picture(self._path(_picture_name(Path(frame.source))), picture)
            return
        if self._video is None:
            path = self._path(f"{self._stem}.mp4")
            self._video = _Video(path, picture.shape[1], picture.shape[0])
        self._video.add(picture)

    def _path(self, name: str) -> Path:
        return self._names.free(self._folder / name) if self._folder else self._file


class FreeNames:
    """Paths for what one run writes into folders: none is given twice, and none is that of an input.

    What an earlier run wrote is written over. Names that differ only in their case are one, as they are on the disks
    of Windows and macOS.
    """

    def __init__(self, inputs: Iterable[str]) -> None:
        """Keep the inputs, as the user named them, and the files of those that are folders."""
        paths = [Path(one).resolve() for one in inputs if _is_there(one)]
        self._folders = {path for path in paths if path.is_dir()}
        self._taken = {_key(path) for path in paths}

    def free(self, path: Path) -> Path:
        """The path, or where it is taken the first that is not of ``x-2.jpg``, ``x-3.jpg`` and so on."""
        number, free = 1, path
        while _key(free) in self._taken or (free.parent.resolve() in self._folders and free.exists()):
            number += 1
            free = path.with_name(f"{path.stem}-{number}{path.suffix}")
        self._taken.add(_key(free))
        return free


def _is_picture(path: Path) -> bool:
    """By its suffix, or where that says nothing by its first bytes."""
    suffix = path.suffix.lower()
    if suffix in address.PICTURE_SUFFIXES:
        return True
    return suffix not in RAW_VIDEO_SUFFIXES and os.path.isfile(path) and cv2.haveImageReader(str(path))  # noqa: PTH113


def _is_folder(path: Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112  # see below


def _is_there(name: str) -> bool:
    return os.path.exists(name)  # noqa: PTH110  # Path.exists raises where a folder may not be searched


def _key(path: Path) -> str:
    return str(path.resolve()).casefold()


def _picture_name(source: Path) -> str:
    suffix = source.suffix if source.suffix.lower() in {".png", ".jpg", ".jpeg"} else ".jpg"
    return f"{source.stem}{suffix}"


def _write_picture(path: Path, picture: Plane) -> None:
    done, encoded = cv2.imencode(path.suffix.lower(), picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise CannotWrite(str(path), "cannot be encoded", "name a .jpg or .png file")
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(encoded.tobytes())
        part.replace(path)
    except OSError as error:
        raise CannotWrite(
            str(path), f"cannot be written ({error.strerror})", "check the disk and the permissions"
        ) from error


class _Video:
    """An H.264 file; odd sizes lose a line, frames of another size are fitted to the first."""

    def __init__(self, path: Path, width: int, height: int) -> None:
        self._path, self._part = path, path.with_name(f".{path.stem}.part{path.suffix}")
        self._width, self._height = max(2, width // 2 * 2), max(2, height // 2 * 2)
        self._count, self._failed = 0, False
        try:
            self._container: Any = av.open(str(self._part), "w")
            self._stream: Any = self._container.add_stream("libx264", rate=VIDEO_RATE)
        except (av.FFmpegError, ValueError) as error:
            raise CannotWrite(str(path), f"cannot be written ({error})", "name an .mp4 file") from error
        self._stream.width, self._stream.height, self._stream.pix_fmt = self._width, self._height, "yuv420p"

    def add(self, picture: Plane) -> None:
        """One frame, a twenty-fifth of a second long."""
        height, width = picture.shape[:2]
        if (width // 2 * 2, height // 2 * 2) == (self._width, self._height):
            picture = picture[: self._height, : self._width].copy()
        else:
            picture = cv2.resize(picture, (self._width, self._height)).astype("uint8")
        image = av.VideoFrame.from_ndarray(picture, format="bgr24")
        image.pts, self._count = self._count, self._count + 1
        with self._errors_translated():
            self._container.mux(self._stream.encode(image))

    def close(self) -> None:
        """Finish the file and give it its name; one that could not be written is removed."""
        if self._failed:
            return
        with self._errors_translated():
            self._container.mux(self._stream.encode(None))
            self._container.close()
            self._part.replace(self._path)

    @contextlib.contextmanager
    def _errors_translated(self) -> Iterator[None]:
        try:
            yield
        except (av.FFmpegError, OSError) as error:
            self._failed = True
            with contextlib.suppress(av.FFmpegError, OSError):
                self._container.close()
            self._part.unlink(missing_ok=True)
            raise CannotWrite(
                str(self._path), f"cannot be written ({error.strerror or error})", "check the disk"
            ) from error
