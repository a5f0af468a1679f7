from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from tuner.datasets.decode import UNREADABLE, decoded

RED = (255, 0, 0)


def encoded(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def corners(side: int = 2) -> Image.Image:
    """Red at the top left, green at the top right, blue at the bottom left, white at the bottom right."""
    pixels = np.array([[RED, (0, 255, 0)], [(0, 0, 255), (255, 255, 255)]], np.uint8)
    return Image.fromarray(pixels.repeat(side // 2, 0).repeat(side // 2, 1))


def test_an_image_of_the_right_size_comes_out_as_it_is_channels_first():
    array = decoded(encoded(corners()), 2, 3)
    assert array[:, 0, 0].tolist() == list(RED)
    assert array[:, 0, 1].tolist() == [0, 255, 0]
    assert array[:, 1, 0].tolist() == [0, 0, 255]


def test_the_middle_square_is_that_of_resizing_first_and_cropping_then():
    noise = Image.effect_noise((60, 20), 90)
    for image, shape, box in (
        (noise, (30, 10), (10, 0, 20, 10)),
        (noise.rotate(90, expand=True), (10, 30), (0, 10, 10, 20)),
    ):
        expected = np.asarray(image.resize(shape, Image.Resampling.BILINEAR).crop(box), int)
        assert np.abs(decoded(encoded(image), 10, 1)[0] - expected).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_undone(orientation):
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,  # the camera was turned the other way
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = corners(16)
    stored = image.transpose(undo[orientation]) if orientation in undo else image
    for kind in ("PNG", "JPEG"):
        options = {"quality": 100, "subsampling": 0} if kind == "JPEG" else {}
        array = decoded(encoded(stored, kind, exif=exif, **options), 16, 3).astype(int)
        assert np.abs(array - np.asarray(image).transpose(2, 0, 1)).max() < 20


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "CMYK"])
def test_every_colour_mode_becomes_rgb(mode):
    image = Image.new("RGB", (8, 8), RED).convert(mode)
    kind, options = ("JPEG", {"quality": 100}) if mode == "CMYK" else ("PNG", {})
    array = decoded(encoded(image, kind, **options), 8, 3).astype(int)
    assert np.abs(array - np.array(RED).reshape(3, 1, 1)).max() <= 3


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_every_mode_becomes_gray(mode):
    assert (decoded(encoded(Image.new("L", (8, 8), 255).convert(mode)), 8, 1) == 255).all()


def test_gray_becomes_three_equal_channels():
    assert (decoded(encoded(Image.new("L", (8, 8), 90)), 8, 3) == 90).all()


@pytest.mark.parametrize(("kind", "channels"), [("PNG", 1), ("PNG", 3), ("TIFF", 1), ("PPM", 1)])
@pytest.mark.parametrize(("stored", "expected"), [(0, 0), (100 * 256 + 17, 100), (65_535, 255)])
def test_sixteen_bits_are_scaled_not_clipped(kind, channels, stored, expected):
    image = Image.fromarray(np.full((8, 8), stored, np.uint16))
    assert (decoded(encoded(image, kind), 8, channels) == expected).all()


def test_transparent_parts_are_white():
    assert (decoded(encoded(Image.new("RGBA", (8, 8), (9, 9, 9, 0))), 8, 3) == 255).all()
    palette = Image.new("P", (8, 8), 0)
    assert (decoded(encoded(palette, transparency=0), 8, 3) == 255).all()


def test_a_single_pixel_fills_the_square():
    assert (decoded(encoded(Image.new("RGB", (1, 1), RED)), 8, 3)[0] == 255).all()


def test_a_large_jpeg_read_at_reduced_scale_looks_as_when_read_whole():
    ramp = Image.linear_gradient("L").resize((640, 480)).convert("RGB")
    photo = encoded(ramp, "JPEG", quality=95)
    whole = Image.open(BytesIO(photo)).crop((80, 0, 560, 480)).resize((32, 32), Image.Resampling.BILINEAR)
    assert np.abs(decoded(photo, 32, 3).astype(int) - np.asarray(whole, int).transpose(2, 0, 1)).max() <= 3


def test_damaged_exif_does_not_lose_the_image():
    photo = encoded(Image.new("L", (8, 8), 90), "JPEG", exif=b"Exif\0\0rubbish, no TIFF header")
    assert np.abs(decoded(photo, 8, 1).astype(int) - 90).max() <= 1


@pytest.mark.parametrize("content", [b"", b"no image", encoded(corners(64), "JPEG")[:-200], encoded(corners(64))[:-60]])
def test_what_is_no_whole_image_is_unreadable(content):
    with pytest.raises(UNREADABLE):
        decoded(content, 8, 3)


def test_pixels_of_unknown_range_are_unreadable():
    with pytest.raises(ValueError, match="floats, whose range is unknown"):
        decoded(encoded(Image.new("F", (8, 8), 0.5), "TIFF"), 8, 1)
