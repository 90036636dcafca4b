"""Codes as their standards draw them: one pixel a module, dark 0 and light 255, no quiet zone.

QR codes, ArUco and AprilTag markers come from OpenCV's own encoders. The linear barcodes are drawn here from the
tables of their standards: ISO/IEC 15420 (EAN, UPC), 15417 (Code 128), 16388 (Code 39) and 16390 (Interleaved 2 of 5).
"""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

LABELS = ("qr", "barcode", "marker")
QR, BARCODE, MARKER = range(3)

_EAN_LEFT_ODD = "0001101 0011001 0010011 0111101 0100011 0110001 0101111 0111011 0110111 0001011".split()
_EAN_PARITY = [
    "LLLLLL",
    "LLGLGG",
    "LLGGLG",
    "LLGGGL",
    "LGLLGG",
    "LGGLLG",
    "LGGGLL",
    "LGLGLG",
    "LGLGGL",
    "LGGLGL",
]
_CODE128 = (  # widths of bar, space, … for the values 0 to 102, then the starts A, B, C and the stop
    "212222 222122 222221 121223 121322 131222 122213 122312 132212 221213 221312 231212 112232 122132 122231 113222 "
    "123122 123221 223211 221132 221231 213212 223112 312131 311222 321122 321221 312212 322112 322211 212123 212321 "
    "232121 111323 131123 131321 112313 132113 132311 211313 231113 231311 112133 112331 132131 113123 113321 133121 "
    "313121 211331 231131 213113 213311 213131 311123 311321 331121 312113 312311 332111 314111 221411 431111 111224 "
    "111422 121124 121421 141122 141221 112214 112412 122114 122411 142112 142211 241211 221114 413111 241112 134111 "
    "111242 121142 121241 114212 124112 124211 411212 421112 421211 212141 214121 412121 111143 111341 131141 114113 "
    "114311 411113 411311 113141 114131 311141 411131 211412 211214 211232 2331112"
).split()
_CODE39_CHARACTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-. *"
_CODE39 = (  # nine elements a character, bars and spaces in turn; w is wide
    "nnnwwnwnn wnnwnnnnw nnwwnnnnw wnwwnnnnn nnnwwnnnw wnnwwnnnn nnwwwnnnn nnnwnnwnw wnnwnnwnn nnwwnnwnn "
    "wnnnnwnnw nnwnnwnnw wnwnnwnnn nnnnwwnnw wnnnwwnnn nnwnwwnnn nnnnnwwnw wnnnnwwnn nnwnnwwnn nnnnwwwnn "
    "wnnnnnnww nnwnnnnww wnwnnnnwn nnnnwnnww wnnnwnnwn nnwnwnnwn nnnnnnwww wnnnnnwwn nnwnnnwwn nnnnwnwwn "
    "wwnnnnnnw nwwnnnnnw wwwnnnnnn nwnnwnnnw wwnnwnnnn nwwnwnnnn nwnnnnwnw wwnnnnwnn nwwnnnwnn nwnnwnwnn"
).split()
_ITF = ["nnwwn", "wnnnw", "nwnnw", "wwnnn", "nnwnw", "wnwnn", "nwwnn", "nnnww", "wnnwn", "nwnwn"]

_DICTIONARIES = [
    cv2.aruco.getPredefinedDictionary(identifier)
    for identifier in (
        cv2.aruco.DICT_4X4_250,
        cv2.aruco.DICT_5X5_250,
        cv2.aruco.DICT_6X6_250,
        cv2.aruco.DICT_7X7_250,
        cv2.aruco.DICT_ARUCO_ORIGINAL,
        cv2.aruco.DICT_ARUCO_MIP_36H12,
        cv2.aruco.DICT_APRILTAG_16h5,
        cv2.aruco.DICT_APRILTAG_25h9,
        cv2.aruco.DICT_APRILTAG_36h11,
        cv2.aruco.DICT_APRILTAG_36h11,
    )
]
_TEXT = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", np.uint8)


@dataclass(frozen=True)
class Symbol:
    """One code: its class, its modules, and what is printed under it.

    ``modules`` is uint8 (rows, columns), 0 dark and 255 light, without a quiet zone. A linear barcode has one row.
    """

    kind: int
    modules: np.ndarray
    text: str = ""


def draw(rng: np.random.Generator, kind: int) -> Symbol:
    """A random symbol of ``kind``: any content, any size that the standard allows."""
    if kind == QR:
        return qr(rng)
    if kind == MARKER:
        return marker(rng)
    return barcode(rng)


def qr(rng: np.random.Generator) -> Symbol:
    """A QR code, mostly of the versions that labels carry (1 to 8), sometimes a dense one (up to 25)."""
    dense = rng.random() < 0.15
    version = int(rng.integers(9, 26)) if dense else int(rng.integers(1, 9))
    level, content = int(rng.integers(4)), int(rng.integers(6 if dense else 24))
    return Symbol(QR, _qr_modules(version, level, content))


@cache  # OpenCV takes 20 ms to encode one; 900 different ones are enough
def _qr_modules(version: int, level: int, content: int) -> np.ndarray:
    rng = np.random.default_rng((version, level, content))
    parameters = cv2.QRCodeEncoder.Params()
    parameters.version = version
    parameters.correction_level = level
    encoder = cv2.QRCodeEncoder.create(parameters)
    room = max(
        4, int(0.3 * (version * version + 8 * version))
    )  # characters, well below the smallest capacity
    text = rng.choice(_TEXT, int(rng.integers(2, min(room, 700) + 1))).tobytes().decode()
    try:
        modules = encoder.encode(text)
    except cv2.error:  # the guess of the capacity was too high
        modules = encoder.encode(text[: 3 + version])
    dark = np.argwhere(modules == 0)
    (top, left), (bottom, right) = dark.min(axis=0), dark.max(axis=0) + 1
    return np.ascontiguousarray(modules[top:bottom, left:right])


def marker(rng: np.random.Generator) -> Symbol:
    """An ArUco or AprilTag marker with its black border of one module."""
    dictionary = _DICTIONARIES[int(rng.integers(len(_DICTIONARIES)))]
    side = dictionary.markerSize + 2
    identifier = int(rng.integers(len(dictionary.bytesList)))
    return Symbol(
        MARKER, cv2.aruco.generateImageMarker(dictionary, identifier, side, borderBits=1), str(identifier)
    )


def barcode(rng: np.random.Generator) -> Symbol:
    """EAN-13, UPC-A, EAN-8, Code 128, Code 39 or Interleaved 2 of 5, one row of modules."""
    choice = rng.random()
    if choice < 0.35:
        text, bits = _ean13(rng, leading=0 if rng.random() < 0.25 else int(rng.integers(1, 10)))
    elif choice < 0.42:
        text, bits = _ean8(rng)
    elif choice < 0.75:
        text, bits = _code128(rng)
    elif choice < 0.88:
        text, bits = _code39(rng)
    else:
        text, bits = _itf(rng)
    row = np.frombuffer(bits.encode(), np.uint8)
    return Symbol(BARCODE, np.where(row == ord("1"), 0, 255).astype(np.uint8)[None], text)


def _digits(rng: np.random.Generator, count: int) -> list[int]:
    return [int(digit) for digit in rng.integers(0, 10, count)]


def _check_digit(digits: list[int]) -> int:
    weighted = sum(digit * (3 if index % 2 == 0 else 1) for index, digit in enumerate(reversed(digits)))
    return -weighted % 10


def _ean_digit(digit: int, alphabet: str) -> str:
    odd = _EAN_LEFT_ODD[digit]
    right = odd.translate(str.maketrans("01", "10"))
    return {"L": odd, "R": right, "G": right[::-1]}[alphabet]


def _ean13(rng: np.random.Generator, leading: int) -> tuple[str, str]:
    digits = [leading, *_digits(rng, 11)]
    digits.append(_check_digit(digits))
    left = "".join(_ean_digit(d, a) for d, a in zip(digits[1:7], _EAN_PARITY[leading], strict=True))
    right = "".join(_ean_digit(d, "R") for d in digits[7:])
    return "".join(map(str, digits)), f"101{left}01010{right}101"


def _ean8(rng: np.random.Generator) -> tuple[str, str]:
    digits = _digits(rng, 7)
    digits.append(_check_digit(digits))
    left = "".join(_ean_digit(d, "L") for d in digits[:4])
    right = "".join(_ean_digit(d, "R") for d in digits[4:])
    return "".join(map(str, digits)), f"101{left}01010{right}101"


def _from_widths(widths: str) -> str:
    return "".join(("1" if index % 2 == 0 else "0") * int(width) for index, width in enumerate(widths))


def _code128(rng: np.random.Generator) -> tuple[str, str]:
    if rng.random() < 0.5:
        pairs = [int(value) for value in rng.integers(0, 100, int(rng.integers(3, 11)))]
        values, text = [105, *pairs], "".join(f"{pair:02d}" for pair in pairs)
    else:
        text = rng.choice(_TEXT, int(rng.integers(4, 14))).tobytes().decode()
        values = [104, *(ord(character) - 32 for character in text)]
    values.append((values[0] + sum(i * value for i, value in enumerate(values))) % 103)
    return text, _from_widths("".join(_CODE128[value] for value in [*values, 106]))


def _code39(rng: np.random.Generator) -> tuple[str, str]:
    text = "".join(_CODE39_CHARACTERS[i] for i in rng.integers(0, 36, int(rng.integers(4, 10))))
    elements = "n".join(_CODE39[_CODE39_CHARACTERS.index(character)] for character in f"*{text}*")
    return f"*{text}*", _from_widths(
        elements.replace("n", "1").replace("w", "3" if rng.random() < 0.5 else "2")
    )


def _itf(rng: np.random.Generator) -> tuple[str, str]:
    digits = _digits(rng, 2 * int(rng.integers(3, 8)))
    body = "".join(
        bar + space
        for first, second in zip(digits[::2], digits[1::2], strict=True)
        for bar, space in zip(_ITF[first], _ITF[second], strict=True)
    )
    wide = "3" if rng.random() < 0.5 else "2"
    return "".join(map(str, digits)), _from_widths(f"1111{body.replace('n', '1').replace('w', wide)}{wide}11")
