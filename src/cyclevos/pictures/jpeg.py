"""Pictures as JPEG, for pages that show them."""

from __future__ import annotations

import io

from PIL import Image

from cyclevos.pictures.arrays import UInt8Array


def jpeg_bytes(image: UInt8Array | Image.Image, quality: int, *, full_colour: bool = False) -> bytes:
    """Return a picture as JPEG.

    Args:
        image: RGB, as an array uint8 (H,W,3) or of Pillow.
        quality: from 1 to 95.
        full_colour: keep the colour of every pixel; otherwise four neighbours share theirs, which takes less space.

    >>> import numpy as np
    >>> jpeg_bytes(np.zeros((2, 2, 3), np.uint8), 90)[6:10]
    b'JFIF'
    """
    data = io.BytesIO()
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    picture.save(data, format="JPEG", quality=quality, **({"subsampling": 0} if full_colour else {}))
    return data.getvalue()
