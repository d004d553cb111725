"""What exiftool finds in what we make: pixels, and nothing about who took them, where and with what."""

import json
import shutil
import struct
import subprocess
from dataclasses import replace

import pytest
from pictures import P3, exif, inspect, quarters, render
from PIL import Image, PngImagePlugin
from raws import dng

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


def found_in(*paths):
    """What exiftool says of each; asked once, because starting it takes longer than the answer."""
    said = subprocess.run([EXIFTOOL, "-json", "-G0", "-a", "-u", *paths], capture_output=True, check=True).stdout
    return json.loads(said)


def tags():
    here = {1: "N", 2: (52.0, 30.0, 0.0), 3: "E", 4: (13.0, 24.0, 0.0)}
    return exif(1, **{"0x010f": "Secret make", "0x0110": "Secret model", "0x013b": "Secret artist", "0x8825": here})


def raw():
    """A DNG that names its camera, with a preview that does so too."""
    preview = quarters(400, 300)
    preview.info["exif"] = tags().tobytes()
    return dng(quarters(400, 300), preview=preview)


def xmp_box():
    """How a JPEG 2000 carries XMP: a box of its own kind, behind the picture."""
    content = bytes.fromhex("be7acfcb97a942e89c71999491e3afac") + XMP
    return struct.pack(">I4s", 8 + len(content), b"uuid") + content


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
        "MPO": {"exif": tags(), "save_all": True, "append_images": [quarters(400, 300)]},
        "JPEG2000": {},
        "RAW": {},
        "JXL": {"exif": tags().tobytes(), "xmp": XMP, "use_container": True},
    }


@pytest.mark.parametrize("image_format", sources())
def test_render__no_preset_leaves_anything_but_pixels(save, monkeypatch, image_format):
    options = sources()[image_format]
    loop = replace(presets.LOOP, above=0)
    monkeypatch.setattr(
        presets, "ON", (*presets.WEBP, *presets.AVIF, presets.MAIL_JPEG, SQUARE, presets.ANIMATED, loop)
    )
    if image_format in ("GIF", "PNG", "WEBP", "AVIF"):
        options |= {"save_all": True, "append_images": [Image.new("RGB", (400, 300))]}
    source = save(raw() if image_format == "RAW" else quarters(400, 300), image_format, **options)
    if image_format == "JPEG2000":
        source.write_bytes(source.read_bytes() + xmp_box())
    assert "secret" in json.dumps(found_in(source)).lower()  # or the test would prove nothing
    files = render(source, *presets.image_files(inspect(source))).files
    assert len(files) >= 8
    for made, said in zip(files, found_in(*[made.path for made in files]), strict=True):
        found = {name: value for name, value in said.items() if not name.startswith(("System", "Sou"))}
        foreign = {name for name in found if name.partition(":")[0] not in OURS}
        assert not foreign, made.preset
        telling = [name for name in found if any(word in name.partition(":")[2].lower() for word in TELLING)]
        assert not telling, made.preset
        assert "secret" not in made.path.read_bytes().decode("latin1").lower()
