"""The film of ``edged demo``: parcels with codes on a conveyor, seen by a fixed camera, and where each code is.

    python demo/render.py

Writes ``demo/conveyor.mp4`` and ``demo/conveyor.json``. Belt and parcels come round exactly once in the film's length,
so it plays in a loop without a jump. The picture is drawn from a scene of its own: a pinhole camera, solids, printed
sheets. Nothing in it was photographed or taken from anywhere; letters are OpenCV's own typeface.

Takes about two minutes of one core. Needs OpenCV 5 and PyAV with libx264.
"""

import argparse
import json
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.reformatter import Colorspace

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "models" / "parcel-codes" / "train"))

from camera import Camera  # noqa: E402  # the line above says where symbols and textures are
from goods import Mark  # noqa: E402
from parcels import Ride, rides  # noqa: E402
from place import Belt, Surroundings  # noqa: E402

SEED = 20417
SIZE, FPS, SECONDS = (1280, 720), 25, 24
FRAMES = FPS * SECONDS
LENGTH = 6.48  # metres of belt; once round in the film
SPEED = LENGTH / SECONDS
ENTRY = -1.2  # the x at which parcels are put on
EXPOSURE_S, MOMENTS = 0.004, 3
QUALITY, KEY_FRAMES = 25, 2 * FPS
GAIN, NOISE, NOISE_FIELDS = 1.04, 1.1, 16
LEAST_SHARE = 0.03  # of a code in view, to be in the truth
_RED, _BLUE = 0.2126, 0.0722
_GREEN = 1 - _RED - _BLUE
_BT709 = np.array(  # blue, green, red and one to Y, U, V in the range of video: 16 to 235, and 16 to 240
    [
        [219 / 255 * _BLUE, 219 / 255 * _GREEN, 219 / 255 * _RED, 16],
        [112 / 255, -112 / 255 * _GREEN / (1 - _BLUE), -112 / 255 * _RED / (1 - _BLUE), 128],
        [-112 / 255 * _BLUE / (1 - _RED), -112 / 255 * _GREEN / (1 - _RED), 112 / 255, 128],
    ]
)


class Film:
    """The scene, and its frames by number."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.camera = Camera((-0.10, -0.82, 1.08), (0.01, 0.035, 0.03), focal=1290, size=SIZE)
        self.around = Surroundings(rng, self.camera)
        self.belt = Belt(rng, LENGTH, SPEED * EXPOSURE_S)
        self.rides = rides(rng, self.camera)
        self._plate = Mark("plate", self.around.plate.codes[0], _corners(self.around), self.around.plane)
        self._light = _light(SIZE)
        self._noise = [
            np.round(NOISE * rng.standard_normal(SIZE[::-1], np.float32)).astype(np.int16)
            for _ in range(NOISE_FIELDS)
        ]

    def frame(self, number: int) -> np.ndarray:
        """uint8 BGR (720, 1280, 3) as the lens throws it on the sensor; noise comes later, to the luminance alone."""
        middle = number / FPS
        base = self.around.behind(self.belt.draw(self.camera, SPEED * middle))
        total = np.zeros(base.shape, np.float32)
        for moment in range(MOMENTS):
            canvas = base.copy()
            at = middle + ((moment + 0.5) / MOMENTS - 0.5) * EXPOSURE_S
            shown = self._in_view(at)
            for ride, x in shown:
                ride.parcel.shadow.draw(canvas, self.camera, x)
            for ride, x in shown:
                ride.parcel.draw(canvas, self.camera, x)
            cv2.accumulate(canvas, total)
        canvas = self.around.in_front(cv2.convertScaleAbs(total, alpha=1 / MOMENTS))
        canvas = cv2.multiply(canvas, self._light, scale=GAIN / 255)
        return cv2.GaussianBlur(canvas, (3, 3), 0.45)

    def noise(self, number: int) -> np.ndarray:
        """Of the sensor, int16 (720, 1280)."""
        field = self._noise[number % NOISE_FIELDS]
        return np.roll(field, (number * 37 % SIZE[1], number * 101 % SIZE[0]), (0, 1))

    def truth(self, number: int) -> list[dict[str, object]]:
        """The codes in view in the middle of a frame's exposure."""
        shown = self._in_view(number / FPS)
        outlines = [ride.parcel.outline(self.camera, x) for ride, x in shown]
        seen = [self._seen(self._plate, 0.0, outlines)]
        for index, (ride, x) in enumerate(shown, 1):
            seen += [self._seen(mark, x, outlines[index:]) for mark in ride.parcel.marks]
        return [one for one in seen if one]

    def _in_view(self, at: float) -> list[tuple[Ride, float]]:
        """Parcels and their x at a time, the farthest first."""
        places = [(ride, (ride.at + SPEED * at) % LENGTH + ENTRY) for ride in self.rides]
        near = [(ride, x) for ride, x in places if abs(x) < -ENTRY]
        return sorted(near, key=lambda pair: -self._distance(pair[0].parcel.middle + (pair[1], 0, 0)))

    def _distance(self, point: np.ndarray) -> float:
        return float(np.hypot(*(point - self.camera.place)[:2]))

    def _seen(self, mark: Mark, x: float, nearer: list[np.ndarray]) -> dict[str, object] | None:
        """What the truth says of a code that has gone as far as ``x``, behind the ``nearer`` outlines."""
        if not mark.plane.faces(self.camera, x):
            return None
        corners = self.camera.project(mark.corners + (x, 0, 0))
        share = round(self._share(corners, nearer, rail=mark is not self._plate), 2)
        if share < LEAST_SHARE:
            return None
        box = np.concatenate((corners.min(0), corners.max(0)))
        box = np.clip(box, 0, (*SIZE, *SIZE))
        found: dict[str, object] = {
            "id": mark.name,
            "label": mark.code.label,
            "box": [round(float(value), 1) for value in box],
            "visible": share,
        }
        if share < 0.5:
            found["partial"] = True
        return found

    def _share(self, corners: np.ndarray, nearer: list[np.ndarray], *, rail: bool) -> float:
        """How much of a code is in the frame and behind nothing."""
        low = np.maximum(np.floor(corners.min(0)).astype(int), 0)
        high = np.minimum(np.ceil(corners.max(0)).astype(int), SIZE)
        if (high <= low).any():
            return 0.0
        window = slice(low[1], high[1]), slice(low[0], high[0])
        shape = (int(high[1] - low[1]), int(high[0] - low[0]))
        code = _filled([corners], low, shape) * (1 - _filled(nearer, low, shape))
        if rail:
            code *= 1 - self.around.near[window]
        return min(1.0, float(code.sum()) / max(cv2.contourArea(corners.astype(np.float32)), 1e-6))


def _corners(around: Surroundings) -> np.ndarray:
    return around.plane.points(around.plate.codes[0].corners / 1000)


def _filled(outlines: list[np.ndarray], low: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Coverage 0 to 1 of convex outlines in a window from ``low``; float32."""
    mask = np.zeros(shape, np.uint8)
    for outline in outlines:
        points = np.round((outline - low - 0.5) * 16).astype(np.int32)
        cv2.fillConvexPoly(mask, points, (255,), cv2.LINE_AA, 4)
    return mask.astype(np.float32) / 255


def _light(size: tuple[int, int]) -> np.ndarray:
    """The lens is darker towards its rim, the hall towards its far right: uint8, 255 is all of it."""
    x = (np.arange(size[0], dtype=np.float32)[None] + 0.5) / size[0] * 2 - 1
    y = ((np.arange(size[1], dtype=np.float32)[:, None] + 0.5) / size[1] * 2 - 1) * size[1] / size[0]
    lens = 1 - 0.16 * (x * x + y * y) ** 1.3
    lamp = 1 - 0.10 * np.clip((x + 0.35) ** 2 + (y + 0.1) ** 2, 0, 2)
    return cv2.merge([np.round(255 * np.clip(lens * lamp, 0, 1)).astype(np.uint8)] * 3)


def write_video(film: Film, path: Path) -> None:
    """All frames, H.264 in MP4."""
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height = SIZE
        stream.pix_fmt, stream.time_base = "yuv420p", Fraction(1, FPS)
        stream.codec_context.gop_size = KEY_FRAMES
        stream.codec_context.thread_count = 1
        stream.codec_context.colorspace = Colorspace.ITU709
        stream.options = {
            "profile": "main", "preset": "slow", "crf": str(QUALITY), "x264-params": "scenecut=0:open-gop=0",
        }  # fmt: skip
        for number in range(FRAMES):
            planes = _planes(film.frame(number), film.noise(number))
            picture = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            picture.pts, picture.colorspace = number, Colorspace.ITU709
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


def _planes(picture: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """BGR to planar Y, U, V after ITU-R BT.709, rounded to the nearest; noise goes to the luminance."""
    values = cv2.transform(picture, _BT709)
    light = np.clip(values[..., 0] + noise, 16, 235).astype(np.uint8)
    half = cv2.resize(values[..., 1:], (SIZE[0] // 2, SIZE[1] // 2), interpolation=cv2.INTER_AREA)
    return np.concatenate((light.ravel(), half[..., 0].ravel(), half[..., 1].ravel())).reshape(-1, SIZE[0])


def write_truth(film: Film, path: Path) -> None:
    """Objects once, then a line a frame."""
    objects = {"plate": film.around.plate.codes[0]}
    objects |= {mark.name: mark.code for ride in film.rides for mark in ride.parcel.marks}
    table = {
        name: {"label": code.label, "symbology": code.symbology, "content": code.content}
        for name, code in objects.items()
    }
    head = {
        "video": "conveyor.mp4", "width": SIZE[0], "height": SIZE[1], "fps": FPS, "frames": FRAMES,
        "box": "xyxy in pixels, smallest upright rectangle round the modules, clipped to the frame",
        "visible": "share of the code that is in the frame and behind nothing; partial: less than half",
    }  # fmt: skip
    lines = ",\n".join(json.dumps(film.truth(number), separators=(",", ":")) for number in range(FRAMES))
    text = json.dumps(head)[:-1] + ',\n"objects": ' + json.dumps(table, indent=1)
    path.write_text(f'{text},\n"truth": [\n{lines}\n]}}\n')


def main() -> None:
    """Write the film and its truth."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--to", type=Path, default=HERE, help="the folder to write to")
    folder = parser.parse_args().to
    cv2.setNumThreads(1)
    started, used = time.perf_counter(), time.process_time()
    film = Film(SEED)
    write_truth(film, folder / "conveyor.json")
    write_video(film, folder / "conveyor.mp4")
    for name in ("conveyor.mp4", "conveyor.json"):
        print(f"{folder / name}: {(folder / name).stat().st_size / 1e6:.2f} MB")
    print(f"{time.perf_counter() - started:.0f} s, {time.process_time() - used:.0f} s of CPU")


if __name__ == "__main__":
    main()
