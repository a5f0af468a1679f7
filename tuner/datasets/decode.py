"""From an image file to bytes [channels, size, size]: upright, 8 bits, gray or RGB, resized and centre cropped."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import numpy as np
from jaxtyping import UInt8
from PIL import ExifTags, Image, ImageOps

UNREADABLE = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
"""What Pillow's decoders raise for a file that is no image, is cut short, or is damaged inside."""

_DRAFT_SCALE = 2
"""JPEG is decoded at the smallest of 1, 1/2, 1/4, 1/8 of its size that leaves the resize this many pixels for one."""

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def decoded(content: bytes, size: int, channels: int) -> UInt8[np.ndarray, "channels size size"]:
    """Return the image that an encoded file holds.

    Transparent parts are laid on white; 16 bits are cut to 8; of an animation the first frame is taken. The resize
    is bilinear and antialiased, and computes the middle square only.

    Raises:
        one of UNREADABLE: the content is no whole image, or its pixels are floats, whose range is unknown.
    """
    if not content:
        raise ValueError("the file is empty")
    mode = "L" if channels == 1 else "RGB"
    with Image.open(BytesIO(content)) as image:
        image.draft(mode, (_DRAFT_SCALE * size, _DRAFT_SCALE * size))
        pixels = _converted(image, mode)
        turn = _turn(image)
    if pixels.size != (size, size):
        pixels = ImageOps.fit(pixels, (size, size), method=Image.Resampling.BILINEAR)
    if turn is not None:
        pixels = pixels.transpose(turn)
    array = np.asarray(pixels).reshape(size, size, channels)
    return array.transpose(2, 0, 1)


def _converted(image: Image.Image, mode: str) -> Image.Image:
    if image.mode == mode:
        image.load()
        return image
    if image.mode == "F":
        raise ValueError("pixels are floats, whose range is unknown")
    if image.mode.startswith("I"):
        return Image.fromarray(_eight_bits(np.asarray(image))).convert(mode)
    if image.has_transparency_data:
        above = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", above.size, "white"), above).convert(mode)
    return image.convert(mode)


def _eight_bits(pixels: np.ndarray) -> UInt8[np.ndarray, "height width"]:
    """Scale gray of 16 bits (in whatever type Pillow holds it) to 8."""
    return np.asarray(np.clip(pixels, 0, 65_535) // 256, dtype=np.uint8)


def _turn(image: Image.Image) -> Image.Transpose | None:
    """Return what sets the image upright; damaged EXIF says nothing against its pixels."""
    try:
        return _UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except UNREADABLE:
        return None
