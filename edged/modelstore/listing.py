"""What the store holds, as its files say it: models, their versions, and what edged or a person wrote of each.

Commands use it beside a daemon that may be running. It only reads, and what it cannot read counts as not there.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edged.errors import BadInput, InputNotFound, NotAllowed
from edged.modelstore.digests import onnx_digest
from edged.modelstore.home import KEPT, Home
from edged.modelstore.pins import read_pin
from edged.modelstore.records import Rejection, Service, read_rejection, read_service
from edged.modelstore.survey import Standing, content_digest

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class Shelf:
    """One model of the store.

    Attributes:
        name: Of the model.
        folder: Of its versions and records; it may be missing for a single file that never served.
        versions: By number.
        file: The single file ``<store>/<name>.onnx``, if the model is one.
        file_version: The number that this file counts as now.
        service: What was served last, or None.
        pinned: The version that is pinned, there or not.
        strays: Folders that look like versions and are none, and why.
    """

    name: str
    folder: Path
    versions: Mapping[int, Standing]
    file: Path | None = None
    file_version: int | None = None
    service: Service | None = None
    pinned: int | None = None
    strays: Mapping[Path, str] = field(default_factory=dict)

    @property
    def served(self) -> int | None:
        """The version that was served last."""
        return self.service.version if self.service else None

    @property
    def previous(self) -> int | None:
        """The version that was served before that one."""
        previous = self.service.previous if self.service else None
        return previous if previous != self.served else None

    @property
    def newest(self) -> int | None:
        """The greatest version."""
        return max(self.versions, default=None)

    def rejection(self, number: int) -> Rejection | None:
        """Why a version is not served; None also where one of its files is another by now, which has it tried anew."""
        rejection, standing = read_rejection(self.folder, number), self.versions.get(number)
        if rejection is None or standing is None:
            return None
        same = rejection.is_of(content_digest(standing.path), onnx_digest(standing.path))
        return rejection if same else None

    def version_before(self) -> int | None:
        """What a rollback goes back to, or None.

        The version that was served before; where that is gone or rejected, the greatest one below what was served last
        (below the pinned one, or below the newest, where nothing was served yet) that is not rejected.
        """
        last = self.served or self.pinned or self.newest or 0
        below = sorted((number for number in self.versions if number < last), reverse=True)
        before = [self.previous] if self.previous in self.versions else []
        return next((number for number in [*before, *below] if number and not self.rejection(number)), None)


def names_in(store: Path) -> list[str]:
    """The models of a store, sorted: folders, single files, and single files elsewhere that were kept here.

    Raises:
        InputNotFound: There is no store.
        BadInput: It is no folder.
        NotAllowed: This user may not read it.
    """
    try:
        children = list(store.iterdir())
        kept = list((store / KEPT).iterdir()) if (store / KEPT).is_dir() else []
    except FileNotFoundError as error:
        remedy = "name the folder of models with --store, or fill it with `edged model add`"
        raise InputNotFound(str(store), "no such store", remedy) from error
    except PermissionError as error:
        remedy = "run as its owner, or name another --store"
        raise NotAllowed(str(store), "may not be read by this user", remedy) from error
    except OSError as error:
        remedy = "name the folder of models with --store"
        raise BadInput(str(store), f"cannot be read ({error.strerror or error})", remedy) from error
    names = {child.name for child in [*children, *kept] if os.path.isdir(child)}  # noqa: PTH112  # Path.is_dir raises
    names |= {child.stem for child in children if child.suffix == ".onnx" and os.path.isfile(child)}  # noqa: PTH113
    return sorted(name for name in names if _NAME.fullmatch(name))


def shelf_of(store: Path, name: str) -> Shelf:
    """One model of a store, by one of its names."""
    folder, file, kept = store / name, store / f"{name}.onnx", store / KEPT / name
    is_here = os.path.isdir(folder) or os.path.isfile(file)  # noqa: PTH112, PTH113
    home = Home(store, name, None if is_here else kept, keep=False)
    versions, number = home.look(), None
    if home.copies:
        number = next((one.version for one in versions.values() if one.path.is_file()), None)
        if number and home.same_as_before(versions[number], content_digest(versions[number].path)):
            versions = home.look()
            number = max(versions, default=None)
    records = home.records or kept
    return Shelf(
        name=name,
        folder=records,
        versions=versions,
        file=file if home.copies else None,
        file_version=number,
        service=read_service(records),
        pinned=read_pin(records),
        strays=home.strays(versions),
    )


def bytes_of(standing: Standing) -> int:
    """Of all files of a version together."""
    return sum(size for _, size, _, _, _ in standing.marks)
