"""Long animations as MP4: every frame, for as long, in its colours, and nothing else in the file."""

from dataclasses import replace

import av
import pytest
from pictures import BLUE, GREEN, P3, RED, WHITE, alike, colour, inspect, p3_as_srgb, render
from PIL import Image

from processing import presets
from processing.engines import animation, images
from processing.engines.sandbox import sandboxed
from processing.facts import Facts, Order
from processing.presets import ANIMATED, LOOP

FORMATS = ["GIF", "PNG", "WEBP", "AVIF"]
SMALL = replace(LOOP, box=32, above=0)


@pytest.fixture
def moving(save):
    """An animation of these colours, or pictures, in a format; it plays for ever."""

    def moving(image_format, *looks, size=(48, 24), **options):
        frames = [look if isinstance(look, Image.Image) else Image.new("RGB", size, look) for look in looks]
        return save(frames[0], image_format, save_all=True, append_images=frames[1:], **{"loop": 0, **options})

    return moving


def film(source, preset=LOOP, **more):
    """What was made, and [(milliseconds, picture), …] of it."""
    made = render(source, preset, **more).files[0]
    with av.open(made.path) as file:
        [stream] = file.streams
        frames = [
            (round(frame.pts * stream.time_base * 1000), round(frame.duration * stream.time_base * 1000), frame)
            for frame in file.decode(stream)
        ]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        starts = [start for start, *_ in frames]
        assert starts == [sum(length for _, length, _ in frames[:at]) for at in range(len(frames))]
        return made, [(length, frame.to_image()) for _, length, frame in frames]


@pytest.mark.parametrize("image_format", FORMATS)
def test_write__every_frame_for_as_long(moving, image_format):
    made, frames = film(moving(image_format, RED, GREEN, BLUE, duration=[50, 300, 120]))
    assert [shown for shown, _ in frames] == [50, 300, 120]
    assert (made.width, made.height, made.duration, made.content_type) == (48, 24, 0.47, "video/mp4")
    for (_, picture), expected in zip(frames, (RED, GREEN, BLUE), strict=True):
        assert alike(colour(picture), expected, 16)


def test_write__last_frame_for_as_long_as_it_says(moving):
    assert [shown for shown, _ in film(moving("GIF", RED, GREEN, duration=[40, 2000]))[1]] == [40, 2000]


@pytest.mark.parametrize(("size", "expected"), [((400, 100), (32, 8)), ((47, 23), (32, 16)), ((300, 2), (32, 2))])
def test_write__both_sides_even_within_the_box(moving, size, expected):
    made, frames = film(moving("GIF", RED, GREEN, size=size), SMALL)
    assert (made.width, made.height) == frames[0][1].size == expected


def test_write__on_white_where_it_is_transparent(moving):
    clear = Image.new("RGBA", (48, 24), (*RED, 255))
    clear.paste((0, 0, 0, 0), (24, 0, 48, 24))
    other = clear.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    _, frames = film(moving("WEBP", clear, other, lossless=True, kmin=1, kmax=1))
    assert alike(colour(frames[0][1], 0.2), RED, 20)
    assert alike(colour(frames[0][1], 0.8), WHITE, 20)
    assert alike(colour(frames[1][1], 0.2), WHITE, 20)


def test_write__colours_by_the_profile_and_said_to_be_of_bt709(moving):
    made, frames = film(moving("WEBP", (200, 100, 100), BLUE, lossless=True, icc_profile=P3))
    assert alike(colour(frames[0][1]), p3_as_srgb((200, 100, 100)), 6)
    with av.open(made.path) as file:
        context = file.streams.video[0].codec_context
        assert (context.colorspace, context.color_primaries, context.color_trc, context.color_range) == (1, 1, 1, 1)


def test_write__damaged_frame_shows_the_last_good_one(moving, save):
    noise = [Image.effect_noise((40, 40), 60) for _ in range(4)]
    whole = bytearray(moving("PNG", *noise, duration=100).read_bytes())
    whole[whole.rindex(b"fdAT") + 40] ^= 0xFF
    assert [shown for shown, _ in film(save(bytes(whole)))[1]] == [100] * 4


def test_write__playable_from_its_first_bytes_and_says_nothing_of_us(moving):
    content = film(moving("GIF", *[(shade, 0, 0) for shade in range(0, 250, 25)]))[0].path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    assert b"Lavf" not in content


def test_write__within_the_fence(moving):
    source = moving("GIF", RED, GREEN, duration=100)
    made = sandboxed(images.render)(Order(source, source.parent, presets=(LOOP,))).files[0]
    assert (made.preset, made.width, made.duration) == ("loop-640", 48, 0.2)


def test_render__one_decode_of_each_frame_for_both_films(moving, monkeypatch):
    decoded = []
    load = animation.load_frame
    monkeypatch.setattr(animation, "load_frame", lambda *given: decoded.append(given[1]) or load(*given))
    source = moving("WEBP", *scenes(12), duration=[50, 300, 120, *[40] * 9], quality=90)
    webp, mp4 = render(source, ANIMATED, LOOP).files
    assert decoded == list(range(12))
    assert (webp.preset, mp4.preset, webp.duration, mp4.duration) == ("animated-640", "loop-640", 0.83, 0.83)
    starts = [0, 50, 350, *range(470, 830, 40)]
    with av.open(mp4.path) as file:
        assert [round(frame.pts * frame.time_base * 1000) for frame in file.decode(video=0)] == starts


def scenes(count):
    """Something that moves before something like a photo, which is where an MP4 is smaller."""
    back = Image.effect_noise((320, 180), 40).convert("RGB")
    for step in range(count):
        scene = back.copy()
        scene.paste(RED, (step * 10, 60, step * 10 + 60, 120))
        yield scene


def test_write__smaller_than_the_webp_where_something_moves(moving):
    source = moving("WEBP", *scenes(24), duration=40, quality=90)
    webp, mp4 = (made.path.stat().st_size for made in render(source, ANIMATED, LOOP).files)
    assert mp4 < webp / 2


def test_render__loop_larger_than_its_webp_is_left_out_and_not_owed_again(moving, tmp_path):
    source = moving("GIF", *[WHITE] * 2, RED)
    facts = replace(inspect(source), frames=1000, width=640, height=640)
    assert LOOP.suits(facts)
    product = images.render(Order(source, tmp_path, facts, (ANIMATED, LOOP)))
    assert [made.preset for made in product.files] == [ANIMATED.name]
    assert product.facts == replace(facts, loops=False)
    assert not LOOP.suits(product.facts)


def test_render__stops_in_the_middle_where_the_report_raises(moving):
    def lost(fraction):
        if fraction > 0.4:
            raise RuntimeError("lease lost")

    source = moving("GIF", RED, GREEN, BLUE)
    with pytest.raises(RuntimeError, match="lease lost"):
        render(source, LOOP, report=lost)


@pytest.mark.parametrize(
    ("image_format", "said", "plays"),
    [("GIF", {"loop": 0}, 0), ("GIF", {"loop": 2}, 3), ("PNG", {"loop": 3}, 3), ("WEBP", {"loop": 7}, 7)],
)
def test_inspect__how_often_it_is_played(moving, image_format, said, plays):
    assert inspect(moving(image_format, RED, GREEN, duration=100, **said)).plays == plays


@pytest.mark.parametrize(
    ("size", "frames", "plays", "owed"),
    [
        ((640, 480), 65, 0, False),
        ((640, 480), 66, 0, True),
        ((1280, 960), 66, 0, True),  # shown no larger
        ((64, 48), 500, 0, False),
        ((640, 480), 66, 1, False),  # an MP4 cannot say how often
        ((9000, 9000), 1, 0, False),
    ],
)
def test_suits__what_is_long_and_plays_for_ever(size, frames, plays, owed):
    facts = Facts("image", "GIF", *size, frames=frames, plays=plays)
    assert (LOOP in presets.image_files(facts)) == owed
    assert (ANIMATED in presets.image_files(facts)) == (frames > 1)  # beside it, for where no video is shown
