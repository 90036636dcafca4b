"""The picture a model takes: which shapes it may have, how it is filled, and one to try it on. Pure."""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edged.decode.family import InputDefaults
from edged.errors import ModelRejected
from edged.manifest import InputManifest, InputRecipe, PerChannel, TensorSpec

LIKELY_SIZES = (640, 416, 320, 512, 256, 224)
"""Tried in this order where a model leaves its size open; many such models run only at the size they were traced at."""
MAX_INPUT_VALUES = 64 * 1024**2
MIN_SIDE = 24
"""Of a picture without a batch; what is narrower is a window of rows of three fields."""


def picture_input(inputs: Sequence[TensorSpec], path: Path) -> TensorSpec:
    """The input that takes the picture; what stands beside it is for `edged.worker.companions`.

    Raises:
        ModelRejected: None does, several may, or it takes more than one picture at a time.
    """
    pictures = [spec for spec in inputs if is_picture(spec)]
    if len(pictures) != 1:
        names = ", ".join(f"{spec.name} {spec.dtype} {list(spec.shape)}" for spec in inputs)
        few = "none of its inputs takes a picture" if not pictures else f"{len(pictures)} of its inputs may"
        raise ModelRejected(
            str(path),
            f"is no detector: {few} ({names:.200})",
            "a detector takes float32, float16 or uint8 of [1, 3, height, width] or [1, height, width, 3]",
        )
    spec = pictures[0]
    if len(spec.shape) == 4 and isinstance(spec.shape[0], int) and spec.shape[0] > 1:
        raise ModelRejected(
            str(path),
            f"takes batches of {spec.shape[0]} pictures",
            "export it with batch 1 or a dynamic batch",
        )
    return spec


def is_picture(spec: TensorSpec) -> bool:
    """[N, C, H, W] or [N, H, W, C], or one picture without its batch: then the channels must be said."""
    if spec.dtype not in {"float32", "float16", "uint8"}:
        return False
    if len(spec.shape) != 3:
        return len(spec.shape) == 4
    sides = spec.shape[1:] if spec.shape[0] == 3 else spec.shape[:2]
    small = any(isinstance(side, int) and 0 < side < MIN_SIDE for side in sides)
    return 3 in {spec.shape[0], spec.shape[2]} and not small


def _whole(spec: TensorSpec) -> tuple[int | str | None, ...]:
    """The shape with a batch."""
    return spec.shape if len(spec.shape) == 4 else (1, *spec.shape)


def recipes(
    spec: TensorSpec, given: InputManifest, metadata: Mapping[str, str], path: Path
) -> list[InputRecipe]:
    """Shapes and types of the input to try, best evidence first; how it is filled is settled by the family.

    Raises:
        ModelRejected: Not a picture of one or three channels, or too large a one; or ``model.toml`` does not have a
            number for each channel.
    """
    for key, value in (("mean", given.mean), ("std", given.std)):
        if isinstance(value, tuple) and len(value) != 3:
            raise ModelRejected(
                str(path),
                f"[input] {key} has {len(value)} numbers",
                "give one, or one for each of three channels",
            )
    return [
        _recipe(spec, given, height, width, path) for height, width in _sizes(spec, given, metadata, path)
    ]


def _layout(spec: TensorSpec, given: InputManifest, path: Path) -> tuple[Literal["NCHW", "NHWC"], int]:
    """Where the channels stand, and how many there are."""
    first, last = _whole(spec)[1], _whole(spec)[3]
    if given.layout == "NHWC" or (given.layout is None and first not in {1, 3} and last in {1, 3}):
        layout, channels = "NHWC", last
    else:
        layout, channels = "NCHW", first
    count = channels if isinstance(channels, int) else 3
    if count not in {1, 3} and given.layout is not None:
        problem = f'[input] layout is "{layout}", which makes {count} channels of {list(spec.shape)}'
        raise ModelRejected(str(path), problem, "correct it in model.toml, or leave it out")
    if count not in {1, 3}:
        raise ModelRejected(
            str(path),
            f"takes pictures of {count} channels ({list(spec.shape)})",
            "a detector takes 3, or 1 for grey pictures",
        )
    return ("NHWC" if layout == "NHWC" else "NCHW"), count


def _sizes(
    spec: TensorSpec, given: InputManifest, metadata: Mapping[str, str], path: Path
) -> list[tuple[int, int]]:
    """Heights and widths to try, best evidence first."""
    layout, _ = _layout(spec, given, path)
    shape = _whole(spec)
    declared = shape[2:4] if layout == "NCHW" else shape[1:3]
    height, width = (side if isinstance(side, int) and side > 0 else None for side in declared)
    if height and width:
        return [(height, width)]
    if given.size:
        return [given.size]
    likely = [(size, size) for size in LIKELY_SIZES]
    traced = _image_size(metadata)
    return [(height or h, width or w) for h, w in ([traced, *likely] if traced else likely)]


def unused(recipe: InputRecipe, given: InputManifest) -> tuple[str, ...]:
    """A note where ``model.toml`` says another size than the model has."""
    if given.size in {None, (recipe.height, recipe.width)}:
        return ()
    return (f"[input] size in model.toml is not used: the model takes {recipe.height} x {recipe.width} only",)


def _image_size(metadata: Mapping[str, str]) -> tuple[int, int] | None:
    """Ultralytics' ``imgsz``, height before width."""
    try:
        size = ast.literal_eval(str(metadata.get("imgsz", ""))[:64])
        height, width = (size, size) if isinstance(size, int) else size
        return (int(height), int(width)) if 8 <= min(height, width) <= max(height, width) <= 8192 else None
    except (ValueError, SyntaxError, TypeError):
        return None


def _recipe(spec: TensorSpec, given: InputManifest, height: int, width: int, path: Path) -> InputRecipe:
    """The shape and type of the input; how it is filled is settled once the family is known."""
    layout, channels = _layout(spec, given, path)
    if height * width * channels > MAX_INPUT_VALUES:
        raise ModelRejected(
            str(path), f"takes pictures of {width} × {height} pixels", "export it for a smaller input"
        )
    dtype: Literal["float32", "float16", "uint8"] = "float32"
    if spec.dtype == "float16":
        dtype = "float16"
    elif spec.dtype == "uint8":
        dtype = "uint8"
    return InputRecipe(height, width, channels=channels, layout=layout, dtype=dtype)


def filled(
    recipe: InputRecipe, usual: InputDefaults, given: InputManifest, metadata: Mapping[str, str]
) -> InputRecipe:
    """The recipe with the family's way of filling the input, overridden by the metadata, then by ``model.toml``."""
    raw = recipe.dtype == "uint8"
    usual = _said_in(metadata, usual)
    return replace(
        recipe,
        color="GRAY" if recipe.channels == 1 else given.color or usual.color,
        scale=given.scale if given.scale is not None else (1.0 if raw else usual.scale),
        mean=_triple(given.mean, (0.0, 0.0, 0.0) if raw else usual.mean),
        std=_triple(given.std, (1.0, 1.0, 1.0) if raw else usual.std),
        fit=given.fit or usual.fit,
        pad=given.pad if given.pad is not None else usual.pad,
    )


def _said_in(metadata: Mapping[str, str], usual: InputDefaults) -> InputDefaults:
    """What Windows ML's image metadata says of colour and range (ONNX, docs/MetadataProps.md)."""
    order = metadata.get("Image.BitmapPixelFormat", "")[:3].lower()
    if order in {"rgb", "bgr"}:
        usual = replace(usual, color="RGB" if order == "rgb" else "BGR")
    values = _RANGES.get(metadata.get("Image.NominalPixelRange", ""))
    if values:
        scale, mean = values
        usual = replace(usual, scale=scale, mean=(mean, mean, mean), std=(1.0, 1.0, 1.0))
    return usual


_RANGES = {
    "NominalRange_0_255": (1.0, 0.0),
    "Normalized_0_1": (1 / 255, 0.0),
    "Normalized_1_1": (1 / 127.5, 1.0),
}
"""Factor, and what is subtracted after it."""


def _triple(given: PerChannel | None, usual: tuple[float, float, float]) -> tuple[float, float, float]:
    if given is None:
        return usual
    if isinstance(given, int | float):
        return (given, given, given)
    first, second, third = given  # as `recipes` has made sure of
    return (first, second, third)


@cache
def texture(recipe: InputRecipe) -> NDArray[Any]:
    """A picture with edges, gradients and grain, the same every time: values 0–1, or 0–255 for uint8; to be read only.

    Who has no more use for it calls ``texture.cache_clear()``.
    """
    y, x = np.ogrid[0 : recipe.height, 0 : recipe.width]
    squares = (x // 32 + y // 32) % 2
    y, x = y.astype(np.float32), x.astype(np.float32)
    waves = np.stack([np.sin(x / (5 + 3 * c)) * np.cos(y / (7 + 2 * c)) for c in range(recipe.channels)])
    grain = np.random.default_rng(2025).random(waves.shape, np.float32)
    picture = np.clip(0.5 + 0.3 * waves + 0.2 * (grain - 0.5) + 0.2 * squares.astype(np.float32), 0, 1)
    if recipe.dtype == "uint8":
        picture = picture * 255
    if recipe.layout == "NHWC":
        picture = picture.transpose(1, 2, 0)
    tensor = np.ascontiguousarray(picture[np.newaxis], dtype=np.dtype(recipe.dtype))
    tensor.flags.writeable = False
    return tensor
