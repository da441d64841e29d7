"""Pictures: an SVG drawn by resvg, features and contours found by scikit-image, read and written in three formats by imageio, perceptual hashes, and names by BLAKE3."""
import io
import tempfile
from pathlib import Path

import blake3
import imagehash
import imageio.v3 as iio
import numpy as np
import resvg_py
import skimage as ski
from PIL import Image

SVG = """<svg xmlns="http://www.w3.org/2000/svg" width="96" height="96"><rect width="96" height="96" fill="white"/>
<circle cx="30" cy="30" r="18" fill="#204080"/><rect x="55" y="50" width="30" height="35" fill="#c03020"/></svg>"""


def main():
    png = bytes(resvg_py.svg_to_bytes(svg_string=SVG))
    picture = iio.imread(png, extension=".png")[..., :3]
    grey = ski.color.rgb2gray(picture)
    threshold = ski.filters.threshold_otsu(grey)
    labels = ski.measure.label(grey < threshold)
    areas = sorted(round(r.area) for r in ski.measure.regionprops(labels))
    contours = ski.measure.find_contours(grey, 0.8)
    corners = ski.feature.corner_peaks(ski.feature.corner_harris(grey), min_distance=5)
    turned = ski.transform.rotate(picture, 90, preserve_range=True).astype(np.uint8)
    closed = ski.morphology.closing(labels > 0, ski.morphology.disk(3))
    likeness = ski.metrics.structural_similarity(picture, turned, channel_axis=2)
    camera = ski.data.camera()
    segments = ski.segmentation.slic(picture, n_segments=8, start_label=1)
    with tempfile.TemporaryDirectory() as folder:
        names = []
        for suffix in ("jpg", "tiff", "gif"):
            path = Path(folder) / f"turned.{suffix}"
            iio.imwrite(path, turned)
            names.append((suffix, iio.improps(path).shape[:2]))
        frames = len(list(iio.imiter(Path(folder) / "turned.gif")))
        ski.io.imsave(Path(folder) / "closed.png", ski.util.img_as_ubyte(closed), check_contrast=False)
        again = ski.io.imread(Path(folder) / "closed.png")
    one, two = (imagehash.phash(Image.open(io.BytesIO(png)).rotate(a)) for a in (0, 180))
    key = blake3.blake3(grey.tobytes()).hexdigest()[:8]
    print("OK", areas, len(contours), len(corners) > 0, round(float(likeness), 1), camera.shape, int(segments.max()) > 1, names, frames, again.shape, one - two > 0, len(key))


main()
