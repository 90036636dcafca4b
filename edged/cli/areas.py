"""Options of the commands that look at parts of a picture: ``--crop``, ``--tiles``, ``--overlap``."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from edged.bounds import TILE_OVERLAP
from edged.errors import UsageError

if TYPE_CHECKING:
    from edged.worker.answer import Answering
    from edged.worker.description import ModelDescription
    from edged.worker.looks import Looks

CropOption = Annotated[
    str | None,
    typer.Option("--crop", metavar="L,T,R,B", help="Look at this part only, in fractions: 0.25,0,0.75,1."),
]
TilesOption = Annotated[
    str | None,
    typer.Option("--tiles", metavar="CxR", help="For small objects: look at so many parts too, like 3x2."),
]
OverlapOption = Annotated[
    float, typer.Option("--overlap", min=0, max=0.5, help="Of neighbouring tiles, as a share of a tile.")
]
OVERLAP = TILE_OVERLAP


@dataclass(frozen=True, slots=True)
class Areas:
    """Where a command looks; see `edged.regions.regions_of`."""

    crop: tuple[float, float, float, float] | None
    tiles: tuple[int, int]
    overlap: float

    @classmethod
    def of(cls, crop: str | None, tiles: str | None, overlap: float) -> "Areas":
        """What the options say.

        Raises:
            UsageError: One of them cannot be meant.
        """
        return cls(
            crop=None if crop is None else _crop(crop),
            tiles=(1, 1) if tiles is None else _tiles(tiles),
            overlap=overlap,
        )

    def look(self, answers: "Answering", description: "ModelDescription") -> "Looks":
        """Through a model.

        Raises:
            ModelRejected: It takes rows.
        """
        from edged.worker.looks import Looks

        return Looks(answers, description, crop=self.crop, tiles=self.tiles, overlap=self.overlap)


def _crop(text: str) -> tuple[float, float, float, float]:
    try:
        left, top, right, bottom = (float(part) for part in text.split(","))
    except ValueError:
        left = top = right = bottom = -1.0
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise UsageError(
            "--crop",
            f"is {text!r:.40}",
            "write left,top,right,bottom in fractions of the frame, like 0.25,0,0.75,1",
        )
    return left, top, right, bottom


def _tiles(text: str) -> tuple[int, int]:
    said = re.fullmatch(r"([1-8])[x×]([1-8])", text.strip())
    if said is None:
        raise UsageError("--tiles", f"is {text!r:.40}", "write columns x rows, each 1 to 8, like 3x2")
    return int(said[1]), int(said[2])
