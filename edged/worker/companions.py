"""What stands beside the picture: the further inputs of a model, filled once and for all. Pure.

Detectors that bring their boxes back to the original picture by themselves take its size, or the factor by which it was
resized, as a second input. They are told that the picture is as large as the input, so that their boxes come in pixels
of the input, and the way back is the `Transform` that edged keeps for every family.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edged.errors import ModelRejected
from edged.manifest import InputRecipe, TensorSpec

_Numbers = tuple[float, ...]

_KNOWN: Mapping[str, Callable[[InputRecipe], _Numbers]] = {
    "image_shape": lambda recipe: (recipe.height, recipe.width),  # YOLOv3 of the ONNX Model Zoo
    "im_shape": lambda recipe: (recipe.height, recipe.width),  # PaddleDetection
    "scale_factor": lambda _: (1.0, 1.0),  # PaddleDetection
    "orig_target_sizes": lambda recipe: (recipe.width, recipe.height),  # RT-DETR, D-FINE, DEIM
}


def fill_companions(specs: Sequence[TensorSpec], recipe: InputRecipe, path: Path) -> dict[str, NDArray[Any]]:
    """An array for each input beside the picture.

    Raises:
        ModelRejected: One that nobody can fill.
    """
    return {spec.name: _filled(spec, recipe, path) for spec in specs}


def beside(companions: dict[str, NDArray[Any]], count: int) -> dict[str, NDArray[Any]]:
    """The same for a batch of pictures: a row for each, where a companion has one for its picture."""
    if count == 1:
        return companions
    return {
        name: np.repeat(values, count, axis=0) if values.ndim > 1 else values
        for name, values in companions.items()
    }


def _filled(spec: TensorSpec, recipe: InputRecipe, path: Path) -> NDArray[Any]:
    if spec.name == "pixel_mask" and len(spec.shape) == 3:  # DETR of Hugging Face: all of the picture counts
        sides = zip(spec.shape[1:], (recipe.height, recipe.width), strict=True)
        return np.ones((1, *(given if isinstance(given, int) else side for given, side in sides)), spec.dtype)
    numbers = _KNOWN.get(spec.name)
    if numbers is None or len(spec.shape) not in {1, 2} or spec.dtype not in _DTYPES:
        raise ModelRejected(
            str(path),
            f"wants an input beside the picture that edged cannot fill: {spec.name} {spec.dtype} {list(spec.shape)}",
            f"export it with a picture as its only input; known beside it are {', '.join(_KNOWN)} and pixel_mask",
        )
    values = np.array(numbers(recipe), spec.dtype)
    return values if len(spec.shape) == 1 else values[np.newaxis]


_DTYPES = {"float32", "float16", "float64", "int64", "int32"}
