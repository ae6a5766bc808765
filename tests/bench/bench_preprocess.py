"""What a picture costs before any network sees it: decoded, its digits found.

    python -m tests.bench.bench_preprocess

The median of REPEATS, in milliseconds of one thread's processor time, which other work on
the machine changes little. The pages are drawn, photographed and packed as JPEG and PNG.
"""

import statistics
import time

import numpy as np
from PIL import Image

from digits.preprocessing.digit_extraction import extract_glyphs
from digits.preprocessing.image_decoding import decode_image
from tests.strokes import packed, page

REPEATS = 15
PAGES = {  # name: text, (height, width), width of the pen in pixels
    "500 x 500, one digit": ("5", (500, 500), 14),
    "500 x 500, six digits in two rows": ("314/159", (500, 500), 8),
    "12 megapixels, one digit": ("5", (3000, 4000), 60),
    "12 megapixels, a number": ("5550192", (3000, 4000), 40),
}


def main():
    """Print the table."""
    print(f"{'':36}{'decode JPEG':>12}{'decode PNG':>12}{'find':>8}   ms")
    for name, (text, shape, pen) in PAGES.items():
        image = Image.fromarray(page(text, np.random.default_rng(0), shape=shape, pen=pen))
        jpeg, png = packed(image, "JPEG", quality=90), packed(image, "PNG", compress_level=1)
        scan = decode_image(jpeg, name)
        times = [
            cost(lambda jpeg=jpeg: decode_image(jpeg, "page")),
            cost(lambda png=png: decode_image(png, "page")),
            cost(lambda scan=scan: extract_glyphs(scan)),
        ]
        print(f"{name:36}{times[0]:12.1f}{times[1]:12.1f}{times[2]:8.1f}")


def cost(action):
    """The median of the milliseconds of processor time that `action` takes."""
    times = []
    for _ in range(REPEATS + 1):
        start = time.thread_time()
        action()
        times.append(1e3 * (time.thread_time() - start))
    return statistics.median(times[1:])


if __name__ == "__main__":
    main()
