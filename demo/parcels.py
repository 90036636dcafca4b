"""The parcels of the film, in the order in which they come: what each is made of, and what is printed on it.

Names of senders and receivers are made up.
"""

from dataclasses import dataclass

import numpy as np
from camera import Camera
from goods import Parcel, Pose, Sides, box, envelope, wrapped
from labels import (
    Address,
    barcode,
    barcode_sticker,
    chessboard,
    marker_sticker,
    packing_list,
    qr_sticker,
    shipping_label,
)
from materials import CRATE, DARK_KRAFT, KRAFT, PALE_KRAFT, SLATE, cardboard, carton, plastic, seam, tape
from prints import RED, fragile_glass, keep_dry, lettering, this_way_up
from sheets import WHITE, Sheet, paper

Rng = np.random.Generator
Size = tuple[float, float, float]


@dataclass(frozen=True)
class Ride:
    """A parcel and how far along the belt it lies, in metres from the first."""

    parcel: Parcel
    at: float


def rides(rng: Rng, camera: Camera) -> list[Ride]:
    """Everything on the belt, with the places they have."""
    makers = (
        (_big_box, 0.00),
        (_mailer, 0.64),
        (_crate, 1.34),
        (_gift_carton, 1.91),
        (_small_box, 2.07),
        (_fragile_box, 2.55),
        (_long_box, 3.13),
        (_kraft_envelope, 3.71),
        (_slate_box, 4.22),
        (_list_box, 4.78),
        (_white_carton, 5.38),
        (_medicine, 5.88),
    )
    return [Ride(make(rng, camera), at) for make, at in makers]


def _taped(rng: Rng, size: Size, colour: tuple[int, int, int], *, flaps: bool = True) -> Sides:
    """A cardboard box closed along its width with a strip of tape that goes down both ends."""

    def board(source: Rng, width: float, height: float) -> Sheet:
        return cardboard(source, width, height, colour)

    sides = wrapped(rng, size, board)
    w, d, _ = size
    if flaps:
        seam(sides["top"], d / 2)
    tape(sides["top"], rng, (0, d / 2 - 25, w, d / 2 + 25))
    for end in ("left", "right"):
        tape(sides[end], rng, (d / 2 - 25, 0, d / 2 + 25, 62))
    return sides


def _big_box(rng: Rng, camera: Camera) -> Parcel:
    size = (400, 300, 190)
    sides = _taped(rng, size, KRAFT)
    address = Address("NORTHGATE SUPPLY", ("M. Keller", "14 Harbour Lane", "4020 Eastbridge"), "EB 4020-07")
    label = shipping_label(barcode(rng, "EAN-13"), "EAN-13", address, module=2.25, height=50)
    sides["top"].put(label, (222, 160), -3)
    sides["front"].put(qr_sticker("EDGED-P01 BAY 07", 88, "P01 / BAY 07"), (92, 84), 2)
    sides["front"].put(this_way_up(), (335, 80), lift=0).put(keep_dry(), (285, 80), lift=0)
    return box("P01", size, Pose(0.02, 11), sides, camera=camera)


def _mailer(rng: Rng, camera: Camera) -> Parcel:
    sheet = carton(rng, 340, 260, (206, 204, 200))
    sheet.fill((0, 0, 340, 7), (120, 60, 40))
    sheet.fill((0, 253, 340, 260), (120, 60, 40))
    address = Address("ALDER & FINCH", ("R. Okafor", "3 Mill Street", "7715 Westham"), "WH 7715-31")
    label = shipping_label(barcode(rng, "Code 128"), "Code 128", address, qr="EDGED-P02:WH7715", module=2.5)
    sheet.put(label, (172, 134), 1.5, lift=0.25)
    return envelope("P02", 30, Pose(-0.04, -64), sheet, camera=camera, rng=rng)


def _crate(rng: Rng, camera: Camera) -> Parcel:
    size = (380, 290, 150)

    def moulded(source: Rng, width: float, height: float) -> Sheet:
        return plastic(source, width, height, CRATE, ribs=0 if height > 200 else 38)

    sides = wrapped(rng, size, moulded)
    sides["top"].put(marker_sticker("AprilTag 36h11", 41, 116), (112, 146), 0)
    sides["top"].put(
        barcode_sticker(barcode(rng, "EAN-8"), "EAN-8", module=2.5, height=52, title="RETURN CRATE"),
        (290, 145),
        90,
    )
    sides["front"].put(paper(150, 60), (190, 78))
    sides["front"].put(lettering("POOL 7", 22, (60, 40, 30)), (190, 78), lift=0)
    return box("P03", size, Pose(0.0, -14), sides, camera=camera)


def _gift_carton(rng: Rng, camera: Camera) -> Parcel:
    size = (190, 150, 110)
    sides = wrapped(rng, size, carton)
    for side in ("front", "right", "back", "left"):
        width, height = sides[side].size
        sides[side].fill((0, height * 0.55, width, height), (150, 110, 40))
    sides["top"].fill((0, 0, 190, 34), (150, 110, 40))
    sides["top"].put(lettering("LUMEN", 15, WHITE), (60, 18), lift=0)
    sides["top"].put(qr_sticker("LUMEN LAMP 4W", 74, "LUMEN 4W"), (128, 92), 0, lift=0)
    return box("P04", size, Pose(-0.15, 24), sides, camera=camera)


def _small_box(rng: Rng, camera: Camera) -> Parcel:
    size = (220, 200, 130)
    sides = _taped(rng, size, PALE_KRAFT)
    sides["top"].put(marker_sticker("ArUco 4x4", 23, 96), (112, 104), 8)
    return box("P05", size, Pose(0.15, -33), sides, camera=camera)


def _fragile_box(rng: Rng, camera: Camera) -> Parcel:
    size = (330, 260, 210)
    sides = _taped(rng, size, DARK_KRAFT)
    sides["top"].put(lettering("FRAGILE", 24, RED), (120, 48), lift=0)
    sides["top"].put(fragile_glass(RED), (285, 46), lift=0)
    sides["front"].put(fragile_glass(), (70, 105), lift=0).put(this_way_up(), (120, 105), lift=0)
    sides["front"].put(lettering("HANDLE WITH CARE", 11), (235, 90), lift=0)
    return box("P06", size, Pose(-0.03, -9), sides, camera=camera)


def _long_box(rng: Rng, camera: Camera) -> Parcel:
    size = (520, 190, 120)
    sides = _taped(rng, size, KRAFT, flaps=False)
    sides["top"].put(qr_sticker("EDGED-P07 LANE 3", 84, "P07"), (58, 95), -90)
    sides["top"].put(
        barcode_sticker(barcode(rng, "EAN-13"), "EAN-13", module=2.25, height=74, title="CURTAIN RAIL 2.4 M"),
        (243, 98),
        0,
    )
    sides["top"].put(marker_sticker("ArUco 4x4", 112, 92), (445, 96), 0)
    return box("P07", size, Pose(0.03, 7), sides, camera=camera)


def _kraft_envelope(rng: Rng, camera: Camera) -> Parcel:
    sheet = cardboard(rng, 320, 240, PALE_KRAFT)
    address = Address("BYRD BOOKS", ("T. Lindqvist", "88 Quay Road", "1190 Northport"), "NP 1190-12")
    sheet.put(shipping_label(barcode(rng, "EAN-8"), "EAN-8", address, module=2.5), (130, 140), 0, lift=0.3)
    sheet.put(paper(56, 70, (190, 178, 164)), (278, 56), 2)
    sheet.put(lettering("POST", 13, (70, 60, 130)), (279, 50), 2, lift=0)
    return envelope("P08", 26, Pose(0.05, 38), sheet, camera=camera, rng=rng)


def _slate_box(rng: Rng, camera: Camera) -> Parcel:
    size = (270, 230, 140)

    def dark(source: Rng, width: float, height: float) -> Sheet:
        return carton(source, width, height, SLATE)

    sides = wrapped(rng, size, dark)
    sides["top"].put(qr_sticker("EDGED-P09 RETURNS", 112, "RETURNS"), (135, 112), 0)
    sides["front"].put(lettering("OBSIDIAN AUDIO", 14, (190, 196, 198)), (120, 60), lift=0)
    return box("P09", size, Pose(-0.06, 157), sides, camera=camera)


def _list_box(rng: Rng, camera: Camera) -> Parcel:
    size = (380, 280, 160)
    sides = _taped(rng, size, KRAFT)
    sides["top"].put(packing_list(150, 190), (100, 142), 4)
    sides["top"].put(chessboard(8, 6, 14), (280, 150), -12)
    sides["front"].put(
        barcode_sticker(barcode(rng, "EAN-13"), "EAN-13", module=2.25, height=78), (222, 86), 0
    )
    return box("P10", size, Pose(0.02, -12), sides, camera=camera)


def _white_carton(rng: Rng, camera: Camera) -> Parcel:
    size = (310, 240, 150)
    sides = wrapped(rng, size, carton)
    tape(sides["top"], rng, (0, 96, 310, 144), (214, 218, 218))
    address = Address("VELA OPTICS", ("Dr. A. Moreau", "5 Garden Row", "3301 Southfield"), "SF 3301-02")
    label = shipping_label(barcode(rng, "EAN-8"), "EAN-8", address, qr="EDGED-P11:SF3301", module=2.5)
    sides["top"].put(label, (180, 122), 90)
    sides["front"].put(lettering("VELA", 30, (150, 70, 20), 900), (80, 70), lift=0)
    sides["right"].put(keep_dry((150, 70, 20)), (60, 80), lift=0)
    return box("P11", size, Pose(0.06, -40), sides, camera=camera)


def _medicine(rng: Rng, camera: Camera) -> Parcel:
    size = (230, 150, 80)
    sides = wrapped(rng, size, carton)
    for side in ("front", "back", "left", "right"):
        sides[side].fill((0, 0, sides[side].size[0], 10), (60, 130, 70))
    sides["top"].fill((0, 0, 230, 12), (60, 130, 70))
    sides["top"].put(
        barcode_sticker(barcode(rng, "EAN-8"), "EAN-8", module=2.5, height=74), (115, 88), 0, lift=0
    )
    sides["top"].put(lettering("FIRST AID", 11, (60, 130, 70)), (60, 28), lift=0)
    return box("P12", size, Pose(-0.12, 10), sides, camera=camera)
