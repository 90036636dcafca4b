import os
import struct

import cv2
import numpy as np
import pytest
from clips import write_picture

from edged.errors import BadInput, InputNotFound
from edged.sources import MAX_PIXELS
from edged.sources.pictures import pictures_in, read_picture


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """The same JPEG with an EXIF block that says how it is turned."""
    entry = b"\x01\x12\x00\x03\x00\x00\x00\x01" + bytes([0, orientation, 0, 0])
    tiff = b"MM\x00\x2a\x00\x00\x00\x08\x00\x01" + entry + b"\x00\x00\x00\x00"
    body = b"Exif\x00\x00" + tiff
    return jpeg[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body + jpeg[2:]


def test_exif_is_honoured(tmp_path):
    picture = np.zeros((32, 64, 3), np.uint8)
    picture[:, :32] = 255  # white on the left
    jpeg = cv2.imencode(".jpg", picture)[1].tobytes()
    path = tmp_path / "turned.jpg"
    path.write_bytes(with_orientation(jpeg, 6))  # to be turned clockwise: white comes to the top
    upright = read_picture(path)
    assert upright.shape == (64, 32, 3)
    assert upright[:24].mean() > 250
    assert upright[40:].mean() < 5


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".webp", ".tif", ".jpg"])
def test_common_formats_are_read(tmp_path, suffix):
    picture = read_picture(write_picture(tmp_path / f"a{suffix}", (10, 20, 30)))
    assert np.abs(picture.reshape(-1, 3).mean(axis=0) - (10, 20, 30)).max() < 3


def test_grey_and_transparent_pictures_become_bgr(tmp_path):
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((8, 8), 7, np.uint8))
    cv2.imwrite(str(tmp_path / "alpha.png"), np.full((8, 8, 4), 9, np.uint8))
    assert read_picture(tmp_path / "grey.png").shape == (8, 8, 3)
    assert read_picture(tmp_path / "alpha.png").shape == (8, 8, 3)


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\xff\xd8\xff\xe0" + b"\0" * 100])
def test_what_is_no_picture_is_bad_input_that_names_the_file(tmp_path, content):
    path = tmp_path / "broken.jpg"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=r"broken\.jpg"):
        read_picture(path)


def test_half_a_jpeg_is_no_picture(tmp_path):
    whole = write_picture(tmp_path / "whole.jpg", width=400, height=300).read_bytes()
    (tmp_path / "half.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadInput, match="broken"):
        read_picture(tmp_path / "half.jpg")


def test_a_missing_picture_is_not_found(tmp_path):
    with pytest.raises(InputNotFound):
        read_picture(tmp_path / "none.jpg")


def test_a_folder_is_read_as_a_person_would_order_it_and_without_what_is_no_picture(tmp_path):
    for name in ("10.jpg", "2.jpg", "1.JPG", "b1.png", "a.png"):
        write_picture(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / ".hidden.jpg").write_bytes(b"")
    (tmp_path / "folder.jpg").mkdir()
    assert [path.name for path in pictures_in(tmp_path)] == ["1.JPG", "2.jpg", "10.jpg", "a.png", "b1.png"]


def test_an_empty_folder_is_input_not_found(tmp_path):
    with pytest.raises(InputNotFound, match="no picture"):
        pictures_in(tmp_path)


def test_opencv_is_bounded_before_it_is_loaded():
    assert os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] == str(MAX_PIXELS)


def test_a_picture_of_too_many_pixels_is_called_that_and_not_broken(tmp_path):
    path = write_picture(tmp_path / "a.jpg")
    jpeg = bytearray(path.read_bytes())
    frame_header = jpeg.index(b"\xff\xc0")
    jpeg[frame_header + 5 : frame_header + 9] = struct.pack(">HH", 40000, 40000)
    path.write_bytes(jpeg)
    with pytest.raises(BadInput) as caught:
        read_picture(path)
    assert str(caught.value) == (
        f"{path}: has more than 134 million pixels, the most that are taken; scale it down"
    )
