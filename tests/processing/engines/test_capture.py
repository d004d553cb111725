"""When it was taken: what cameras write, and what they write when nobody has set their clock."""

import subprocess
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from PIL import ExifTags, Image

from processing.engines import capture, images, probe
from processing.facts import Limits, Order

RECEIVED = datetime(2026, 11, 26, 12, tzinfo=UTC)
HERE = ZoneInfo("America/Mexico_City")


def taken(path, folder):
    return images.inspect(Order(path, folder)).facts.taken


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "HEIF"])
def test_picture__by_its_exif(tmp_path, form):
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2019:05:03 08:00:00"
    exif[ExifTags.Base.DateTime] = "2024:01:01 00:00:00"  # when somebody last edited it
    path = tmp_path / "picture"
    Image.new("RGB", (64, 48)).save(path, form, exif=exif.tobytes())
    assert taken(path, tmp_path) == "2019-05-03T08:00:00"


@pytest.mark.parametrize("said", ["", "0000:00:00 00:00:00", "    :  :     :  :  ", "0001:01:01 00:00:00", "yesterday"])
def test_picture__of_a_camera_without_a_clock_says_nothing(tmp_path, said):
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = said
    path = tmp_path / "picture.jpg"
    Image.new("RGB", (64, 48)).save(path, exif=exif)
    assert taken(path, tmp_path) == ""


def test_picture__with_broken_exif_says_nothing(tmp_path):
    path = tmp_path / "picture.jpg"
    Image.new("RGB", (64, 48)).save(path, exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert taken(path, tmp_path) == ""


def test_film__by_its_container(tmp_path):
    path = tmp_path / "film.mp4"
    source = ["-f", "lavfi", "-i", "color=s=64x48:d=0.2", "-metadata", "creation_time=2019-05-03T14:00:00Z"]
    subprocess.run(["ffmpeg", "-v", "error", *source, str(path)], check=True)
    assert probe.look(path, Limits()).facts.taken == "2019-05-03T14:00:00+00:00"


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        ({"creation_time": "2019-05-03T14:00:00.000000Z"}, "2019-05-03T14:00:00+00:00"),
        (
            {
                "creation_time": "2019-05-02T23:00:00.000000Z",
                "com.apple.quicktime.creationdate": "2019-05-03T08:00:00+0900",
            },
            "2019-05-03T08:00:00",
        ),
        ({"creation_time": "1904-01-01T00:00:00.000000Z"}, ""),
        ({"creation_time": "1970-01-01T00:00:00.000000Z"}, ""),
        ({"creation_time": "last summer"}, ""),
        ({}, ""),
    ],
)
def test_tags__what_phones_and_recorders_write(tags, found):
    assert capture.of_tags(tags) == found


def test_moment__by_the_clock_on_the_wall():
    assert capture.moment("2019-05-03T08:00:00", RECEIVED, HERE).astimezone(HERE).hour == 8
    assert capture.moment("2019-05-03T13:00:00+00:00", RECEIVED, HERE).astimezone(HERE).hour == 8


@pytest.mark.parametrize("said", ["", "2098-01-01T00:00:00"])
def test_moment__unknown_or_in_the_future_is_when_it_came(said):
    assert capture.moment(said, RECEIVED, HERE) == RECEIVED
