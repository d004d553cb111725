"""What exiftool finds in what we make: pixels, and nothing about who took them, where and with what."""

import json
import shutil
import subprocess

import pytest
from pictures import P3, exif, inspect, quarters, render
from PIL import Image, PngImagePlugin

from processing import presets
from processing.presets import SQUARE

EXIFTOOL = shutil.which("exiftool")
pytestmark = pytest.mark.skipif(not EXIFTOOL, reason="exiftool is not installed")

# Of the file and of its coding; whatever else exiftool finds came from the original.
OURS = {"SourceFile", "ExifTool", "System", "File", "Composite", "RIFF", "JFIF", "QuickTime", "Meta"}
TELLING = ("gps", "make", "model", "comment", "artist", "copyright", "thumbnail", "xmp", "iptc", "secret")
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" dc:source="Secret xmp"/></rdf:RDF></x:xmpmeta>'
)


def found_in(path):
    said = subprocess.run([EXIFTOOL, "-json", "-G0", "-a", "-u", path], capture_output=True, check=True).stdout
    return json.loads(said)[0]


def tags():
    here = {1: "N", 2: (52.0, 30.0, 0.0), 3: "E", 4: (13.0, 24.0, 0.0)}
    return exif(1, **{"0x010f": "Secret make", "0x0110": "Secret model", "0x013b": "Secret artist", "0x8825": here})


def sources():
    """A format, and the ways its files carry metadata."""
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "Secret comment")
    everything = {"exif": tags(), "xmp": XMP, "icc_profile": P3}
    return {
        "JPEG": {**everything, "comment": b"Secret comment"},
        "PNG": {"exif": tags(), "icc_profile": P3, "pnginfo": text},
        "WEBP": everything,
        "AVIF": everything,
        "HEIF": {**everything, "exif": tags().tobytes(), "thumbnails": [64]},
        "TIFF": {"exif": exif(1, **{"0x010f": "Secret make"}), "icc_profile": P3},
        "GIF": {"comment": b"Secret comment"},
        "JXL": {"exif": tags().tobytes(), "xmp": XMP, "use_container": True},
    }


@pytest.mark.parametrize("image_format", sources())
def test_render__no_preset_leaves_anything_but_pixels(save, monkeypatch, image_format):
    monkeypatch.setattr(presets, "ON", (*presets.WEBP, *presets.AVIF, presets.MAIL_JPEG, SQUARE, presets.ANIMATED))
    options = sources()[image_format]
    if image_format in ("GIF", "PNG", "WEBP", "AVIF"):
        options |= {"save_all": True, "append_images": [Image.new("RGB", (400, 300))]}
    source = save(quarters(400, 300), image_format, **options)
    assert "secret" in json.dumps(found_in(source)).lower()  # or the test would prove nothing
    files = render(source, *presets.image_files(inspect(source))).files
    assert len(files) >= 8
    for made in files:
        found = {name: value for name, value in found_in(made.path).items() if not name.startswith(("System", "Sou"))}
        foreign = {name for name in found if name.partition(":")[0] not in OURS}
        assert not foreign, made.preset
        telling = [name for name in found if any(word in name.partition(":")[2].lower() for word in TELLING)]
        assert not telling, made.preset
        assert "secret" not in made.path.read_bytes().decode("latin1").lower()
