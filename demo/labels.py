"""Stickers and labels with codes on them, and printed sheets that are easily taken for codes. Millimetres."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import symbols
from sheets import BLACK, WHITE, Ink, Sheet, paper


def marker_sticker(family: str, identifier: int, side: float, colour: Ink = WHITE) -> Sheet:
    """A marker with a margin of a module and its number in small print."""
    modules = marker_modules(MARKERS[family], identifier)
    margin = side / len(modules) * 1.2
    sheet = paper(side + 2 * margin, side + 2 * margin + 4, colour)
    sheet.modules("marker", family, str(identifier), modules, (margin, margin, side, side))
    sheet.write(f"{family}  #{identifier}", (margin, side + 2 * margin + 1), 3.2)
    return sheet


def qr_sticker(content: str, side: float, caption: str, colour: Ink = WHITE) -> Sheet:
    """A QR code with its quiet zone and a caption."""
    modules = qr_modules(content)
    margin = side / len(modules) * 3
    sheet = paper(side + 2 * margin, side + 2 * margin + 6, colour)
    sheet.modules("qr", "QR", content, modules, (margin, margin, side, side))
    sheet.write(caption, (margin, side + 1.55 * margin + 5), 4.2, 600)
    return sheet


def barcode_sticker(
    symbol: symbols.Symbol, symbology: str, *, module: float, height: float, title: str = ""
) -> Sheet:
    """A linear barcode, its bars of ``module`` and more, its digits below and a title above."""
    head = 9.0 if title else 4.0
    sheet = paper(_width(symbol, module), height + head + 11)
    if title:
        sheet.write(title, (_QUIET * module, 7), 4.2, 600)
    _bars(sheet, symbol, symbology, (head, module, height))
    return sheet


_QUIET = 9  # modules of white beside a barcode


def _width(symbol: symbols.Symbol, module: float) -> float:
    return (symbol.modules.shape[1] + 2 * _QUIET) * module


def _bars(sheet: Sheet, symbol: symbols.Symbol, symbology: str, box: tuple[float, float, float]) -> None:
    """``box`` is the top, the width of a module, and the height."""
    top, module, height = box
    left, width = _QUIET * module, symbol.modules.shape[1] * module
    sheet.modules("barcode", symbology, symbol.text, symbol.modules, (left, top, width, height))
    step = width / len(symbol.text)
    for index, digit in enumerate(symbol.text):
        sheet.write(digit, (left + step * (index + 0.25), top + height + 6.5), 4.6, 500)


@dataclass(frozen=True)
class Address:
    """Where a parcel comes from and goes to."""

    sender: str
    lines: tuple[str, str, str]
    route: str


def shipping_label(
    symbol: symbols.Symbol,
    symbology: str,
    address: Address,
    *,
    qr: str = "",
    module: float,
    height: float = 42,
) -> Sheet:
    """A parcel service's label: route, sender, address, a barcode, and perhaps a QR code."""
    width, top = _width(symbol, module), 94.0 if qr else 62.0
    sheet = paper(width, top + height + 14)
    sheet.fill((0, 0, width, 17), BLACK)
    sheet.write(address.sender, (6, 12), 7, 800, WHITE)
    sheet.write("PRIORITY", (width - 42, 11.4), 5, 500, WHITE)
    text = 6.0
    if qr:
        modules = qr_modules(qr)
        side = 66.0
        sheet.modules("qr", "QR", qr, modules, (width - side - 8, 22, side, side))
    sheet.write("TO", (text, 25), 3.4, 700)
    for line, words in enumerate(address.lines):
        sheet.write(words, (text, 31.5 + 7 * line), 4.6, 600 if line == 0 else 400)
    sheet.write(address.route, (text, top - 5), 8.5 if qr else 7, 900)
    if not qr:
        left = width - 52
        sheet.fill((left, 21, width - 5, 53), BLACK, 0.6)
        for line, words in enumerate(("WEIGHT  4.2 kg", "PARCEL  1 / 1", "SERVICE  24 h")):
            sheet.write(words, (left + 3, 29 + 9 * line), 3.6)
    sheet.fill((0, top - 2.6, width, top - 2), BLACK)
    _bars(sheet, symbol, symbology, (top + 2, module, height))
    return sheet


def chessboard(columns: int, rows: int, cell: float) -> Sheet:
    """A lens target: squares, no code."""
    sheet = paper((columns + 2) * cell, (rows + 2) * cell)
    for row in range(rows):
        for column in range(row % 2, columns, 2):
            left, top = (column + 1) * cell, (row + 1) * cell
            sheet.fill((left, top, left + cell, top + cell), BLACK)
    return sheet


def packing_list(width: float, height: float) -> Sheet:
    """A printed table in a page of text: no code."""
    sheet = paper(width, height, (232, 240, 241))
    sheet.write("PACKING LIST", (8, 14), 6, 800)
    sheet.write("Order 20417   Bay 6", (8, 22), 3.6)
    top, step, columns = 28.0, 9.0, (8, 22, width - 48, width - 28, width - 8)
    rows = int((height - top - 12) // step)
    sheet.fill((8, top, width - 8, top + step), (205, 210, 210))
    for row in range(rows + 1):
        sheet.fill((8, top + row * step, width - 8, top + row * step + 0.5), BLACK)
    for column in columns:
        sheet.fill((column, top, column + 0.5, top + rows * step), BLACK)
    goods = (
        "Item",
        "Hinge, steel",
        "Screw M4 x 20",
        "Washer",
        "Bracket, left",
        "Bracket, right",
        "Seal",
        "Cable 2 m",
        "Key",
    )
    for row in range(rows):
        base = top + row * step + 6.2
        for at, words in zip(
            columns, (f"{row or '#'}", goods[row % 9], f"{7 * row % 12 + 1}", f"{row * 3}.40"), strict=False
        ):
            sheet.write(words, (at + 2, base), 3.6, 700 if row == 0 else 400)
    return sheet


# --- codes ------------------------------------------------------------------------------------------------------------


def barcode(rng: np.random.Generator, wanted: str) -> symbols.Symbol:
    """The next barcode of the wanted symbology that ``rng`` comes upon."""
    fits: dict[str, Callable[[str, int], bool]] = {
        "EAN-13": lambda text, columns: len(text) == 13 and columns == 95 and text[0] != "0",  # not UPC-A
        "EAN-8": lambda text, columns: len(text) == 8 and columns == 67 and _sum_is_right(text),
        "Code 128": lambda text, columns: len(text) == 6 and columns == 68,
    }
    while True:
        symbol = symbols.barcode(rng)
        if fits[wanted](symbol.text, symbol.modules.shape[1]):
            return symbol


def _sum_is_right(text: str) -> bool:
    return text.isdigit() and sum(int(d) * (3 if i % 2 == 0 else 1) for i, d in enumerate(text)) % 10 == 0


def qr_modules(content: str) -> np.ndarray:
    """The modules of a QR code at error correction level M, without a quiet zone."""
    parameters = cv2.QRCodeEncoder.Params()
    parameters.correction_level = cv2.QRCODE_ENCODER_CORRECT_LEVEL_M
    modules = cv2.QRCodeEncoder.create(parameters).encode(content)
    dark = np.argwhere(modules == 0)
    (top, left), (bottom, right) = dark.min(axis=0), dark.max(axis=0) + 1
    return np.ascontiguousarray(modules[top:bottom, left:right])


def marker_modules(dictionary: int, identifier: int) -> np.ndarray:
    """A marker with its black border of one module."""
    table = cv2.aruco.getPredefinedDictionary(dictionary)
    return cv2.aruco.generateImageMarker(table, identifier, table.markerSize + 2, borderBits=1)


MARKERS = {"ArUco 4x4": cv2.aruco.DICT_4X4_250, "AprilTag 36h11": cv2.aruco.DICT_APRILTAG_36h11}
