"""Pictures that move: every frame, for as long and as often as in the original."""

from dataclasses import replace

import pytest
from pictures import BLUE, GREEN, P3, RED, alike, colour, exif, inspect, laid, p3_as_srgb, render
from PIL import Image

from processing import presets
from processing.engines import animation
from processing.errors import Corrupt
from processing.presets import ANIMATED

FORMATS = ["GIF", "PNG", "WEBP", "AVIF"]
SMALL = replace(ANIMATED, box=32)


@pytest.fixture
def moving(save):
    """An animation of these colours, or pictures, in a format."""

    def moving(image_format, *looks, size=(48, 24), **options):
        frames = [look if isinstance(look, Image.Image) else Image.new("RGB", size, look) for look in looks]
        return save(frames[0], image_format, save_all=True, append_images=frames[1:], **options)

    return moving


def film(source, preset=ANIMATED, **more):
    """(size, plays, [(milliseconds, frame), …]) of the animation made of the source."""
    made = render(source, preset, **more).files[0]
    with Image.open(made.path) as picture:
        frames = []
        for number in range(picture.n_frames):
            picture.seek(number)
            picture.load()
            frames.append((picture.info["duration"], picture.copy()))
        assert made.duration == sum(shown for shown, _ in frames) / 1000
        assert picture.size == (made.width, made.height)
        return picture.size, picture.info["loop"], frames


def times(frames):
    return [shown for shown, _ in frames]


@pytest.mark.parametrize("image_format", FORMATS)
def test_write__every_frame_for_as_long(moving, image_format):
    size, _, frames = film(moving(image_format, RED, GREEN, BLUE, duration=[50, 300, 120]))
    assert size == (48, 24)
    assert times(frames) == [50, 300, 120]
    for (_, picture), expected in zip(frames, (RED, GREEN, BLUE), strict=True):
        assert alike(colour(picture)[:3], expected, 16)


@pytest.mark.parametrize(("image_format", "said", "plays"), [
    ("GIF", {}, 1), ("GIF", {"loop": 0}, 0), ("GIF", {"loop": 4}, 5),
    ("PNG", {"loop": 0}, 0), ("PNG", {"loop": 3}, 3),
    ("WEBP", {"loop": 0}, 0), ("WEBP", {"loop": 7}, 7),
    ("AVIF", {}, 0),
])  # fmt: skip
def test_write__played_as_often(moving, image_format, said, plays):
    assert film(moving(image_format, RED, GREEN, duration=100, **said))[1] == plays


@pytest.mark.parametrize(("said", "shown"), [(0, 100), (10, 100), (20, 20)])
def test_write__too_short_a_frame_shown_as_browsers_do(moving, said, shown):
    assert times(film(moving("GIF", RED, GREEN, duration=said))[2]) == [shown, shown]


def test_write__shrunk_as_stills_are(moving):
    source = moving("GIF", RED, GREEN, size=(400, 100))
    assert film(source, SMALL)[0] == (32, 8)


@pytest.mark.parametrize("image_format", ["PNG", "WEBP"])  # encoding a turned AVIF film crashes Pillow
def test_write__turned_upright(moving, image_format):
    pictures = [laid(6, 60, 40), laid(6, 60, 40).transpose(Image.Transpose.ROTATE_180)]
    size, _, frames = film(moving(image_format, *pictures, exif=exif(6), duration=100))
    assert size == (60, 40)
    assert alike(colour(frames[0][1], 0.1, 0.1)[:3], RED, 40)
    assert alike(colour(frames[1][1], 0.9, 0.9)[:3], RED, 40)


def test_write__colours_by_the_profile(moving):
    *_, frames = film(moving("WEBP", (200, 100, 100), BLUE, lossless=True, icc_profile=P3))
    assert alike(colour(frames[0][1])[:3], p3_as_srgb((200, 100, 100)), 6)


@pytest.mark.parametrize("image_format", ["PNG", "WEBP"])
def test_write__transparency_kept(moving, image_format):
    clear = Image.new("RGBA", (48, 24), (*RED, 255))
    clear.paste((0, 0, 0, 0), (24, 0, 48, 24))
    *_, frames = film(
        moving(image_format, clear, clear.transpose(Image.Transpose.FLIP_LEFT_RIGHT), lossless=True, kmin=1, kmax=1)
    )
    assert [colour(picture, 0.2)[3] > 250 for _, picture in frames] == [True, False]
    assert [colour(picture, 0.8)[3] > 250 for _, picture in frames] == [False, True]


@pytest.mark.parametrize(("disposal", "left_behind"), [(1, True), (2, False)])
def test_write__frames_composed_as_their_disposal_says(moving, disposal, left_behind):
    dot = Image.new("RGBA", (48, 24), (0, 0, 0, 0))
    dot.paste((*RED, 255), (0, 0, 12, 24))
    other = Image.new("RGBA", (48, 24), (0, 0, 0, 0))
    other.paste((*BLUE, 255), (36, 0, 48, 24))
    *_, frames = film(moving("GIF", dot, other, duration=100, disposal=disposal))
    last = frames[-1][1].convert("RGBA")
    assert alike(colour(last, 0.9)[:3], BLUE, 16)
    assert (colour(last, 0.1)[3] > 128) == left_behind


def test_write__picture_for_who_cannot_show_apng_is_no_frame(moving):
    source = moving("PNG", RED, GREEN, BLUE, default_image=True, duration=100)
    shown = [colour(picture)[:3] for _, picture in film(source)[2]]
    assert len(shown) == 2
    assert alike(shown[0], GREEN, 16)


def test_write__damaged_frame_shows_the_last_good_one(moving, save):
    noise = [Image.effect_noise((40, 40), 60) for _ in range(4)]
    whole = bytearray(moving("PNG", *noise, duration=100).read_bytes())
    whole[whole.rindex(b"fdAT") + 40] ^= 0xFF
    _, _, frames = film(save(bytes(whole)))
    assert sum(times(frames)) == 400
    assert len(frames) == 3


def test_write__no_good_frame_is_corrupt(moving, save):
    whole = bytearray(moving("PNG", *[Image.effect_noise((40, 40), 60) for _ in range(2)]).read_bytes())
    for mark in (b"IDAT", b"fdAT"):
        whole[whole.index(mark) + 40] ^= 0xFF
    with pytest.raises(Corrupt):
        film(save(bytes(whole)))


def test_write__one_frame_in_memory_at_a_time(moving, monkeypatch):
    alive = []
    become = animation.Film.become
    monkeypatch.setattr(animation.Film, "become", lambda film, size: become(film, size) or alive.append(film.im))
    film(moving("GIF", *[(shade, shade, shade) for shade in range(0, 250, 25)]))
    assert len(alive) == 10
    assert len({id(core) for core in alive}) == 10  # each its own, none kept in a list for the encoder


def test_render__stills_and_the_film_share_the_progress(moving):
    heard = []
    source = moving("GIF", RED, GREEN, BLUE, BLUE, size=(200, 20))
    files = render(source, *presets.image_files(inspect(source)), report=heard.append).files
    assert [made.preset for made in files] == ["webp-160", "webp-320", "jpeg-1280", "animated-640"]
    assert heard == sorted(heard)
    assert heard[:3] == [0.25, 0.5, 0.75]
    assert heard[-1] == 1


def test_render__stops_in_the_middle_of_a_film_where_the_report_raises(moving):
    def lost(fraction):
        if fraction > 0.4:
            raise RuntimeError("lease lost")

    source = moving("GIF", RED, GREEN, BLUE)
    with pytest.raises(RuntimeError, match="lease lost"):
        render(source, ANIMATED, report=lost)
    assert not (source.parent / "animated-640.webp").exists()
