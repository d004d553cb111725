import errno
import json
import struct
import subprocess
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import blurhash
import numpy as np
import pytest
from pictures import (
    BLACK,
    BLUE,
    GREEN,
    JPEG,
    P3,
    RED,
    WEBP,
    WHITE,
    alike,
    chunk,
    colour,
    cyan_is_red_profile,
    exif,
    inspect,
    laid,
    p3_as_srgb,
    png,
    quarters,
    read,
    render,
    rendition,
    shows_quarters,
)
from PIL import Image, ImageCms, PngImagePlugin

from processing.engines import decoder, images, shrinking
from processing.engines.colour import plain, thinned
from processing.errors import Corrupt, Empty, ResourceLimit, TooManyFrames, TooManyPixels, UnsupportedType
from processing.facts import Limits
from processing.presets import ImagePreset, image_files


class TestInspect:
    @pytest.mark.parametrize("image_format", ["JPEG", "PNG", "GIF", "WEBP", "AVIF", "TIFF", "BMP", "JPEG2000"])
    def test_inspect__every_format_known_by_its_content_not_its_name(self, save, image_format):
        facts = inspect(save(quarters(), image_format))
        assert (facts.kind, facts.format) == ("image", image_format)
        assert (facts.width, facts.height, facts.orientation, facts.frames) == (60, 40, 1, 1)

    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
    def test_inspect__size_is_the_upright_one(self, save, image_format, orientation):
        facts = inspect(save(laid(orientation), image_format, exif=exif(orientation)))
        assert (facts.width, facts.height, facts.orientation) == (60, 40, orientation)

    @pytest.mark.parametrize("value", [0, 9, 65535])
    def test_inspect__orientation_out_of_range_is_1(self, save, value):
        assert inspect(save(quarters(), "JPEG", exif=exif(value))).orientation == 1

    def test_inspect__exif_that_is_no_exif_is_orientation_1(self, save):
        assert inspect(save(quarters(), "JPEG", exif=b"Exif\0\0not a TIFF header")).orientation == 1

    def test_inspect__exif_in_unreadable_hex_is_orientation_1(self, save):
        text = PngImagePlugin.PngInfo()
        text.add_text("Raw profile type exif", "\nexif\n 4\nxyz!")
        assert inspect(save(quarters(), "PNG", pnginfo=text)).orientation == 1

    def test_inspect__exif_behind_the_pixels_of_a_png(self, save):
        late = chunk(b"eXIf", exif(6).tobytes().removeprefix(b"Exif\0\0"))
        source = save(png(np.array(laid(6)), colour_type=2, after=late))
        facts = inspect(source)
        assert (facts.width, facts.height, facts.orientation) == (60, 40, 6)
        assert shows_quarters(rendition(source))

    def test_inspect__no_pixel_is_decoded(self, save):
        whole = save(Image.effect_noise((200, 200), 50)).read_bytes()
        assert inspect(save(whole[:500])).width == 200

    @pytest.mark.parametrize("image_format", ["GIF", "PNG", "WEBP", "AVIF"])
    def test_inspect__frames_of_an_animation(self, save, image_format):
        frames = [Image.new("RGB", (8, 8), paint) for paint in (RED, GREEN, BLUE)]
        source = save(frames[0], image_format, save_all=True, append_images=frames[1:])
        assert inspect(source).frames == 3

    @pytest.mark.parametrize("image_format", ["TIFF", "MPO"])
    def test_inspect__further_pages_are_no_frames(self, save, image_format):
        source = save(quarters(), image_format, save_all=True, append_images=[quarters()])
        facts = inspect(source, frames=1)
        assert (facts.format, facts.frames) == (image_format, 1)


class TestLimits:
    def test_inspect__empty_file(self, save):
        with pytest.raises(Empty):
            inspect(save(b""))

    @pytest.mark.parametrize("content", [b"hello", b"%!PS-Adobe-3.0 EPSF-3.0", b"8BPS\0\1", b"<svg/>"])
    def test_inspect__another_kind_of_file(self, save, content):
        with pytest.raises(UnsupportedType):
            inspect(save(content.ljust(200)))

    @pytest.mark.parametrize("image_format", ["EPS", "PPM", "TGA", "PCX", "ICNS", "SGI"])
    def test_inspect__formats_off_the_list_reach_no_decoder(self, save, image_format):
        with pytest.raises(UnsupportedType):
            inspect(save(Image.new("RGB", (16, 16)), image_format))

    @pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP"])
    def test_inspect__damaged_header_is_damage_not_another_type(self, save, image_format):
        with pytest.raises(Corrupt):
            inspect(save(save(quarters(), image_format).read_bytes()[:14]))

    def test_inspect__missing_file_is_our_fault(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            inspect(tmp_path / "gone")

    @pytest.mark.parametrize("image_format", ["PNG", "GIF", "JPEG", "BMP"])
    def test_inspect__too_many_pixels(self, save, image_format):
        with pytest.raises(TooManyPixels) as error:
            inspect(save(Image.new("L", (2000, 1001)), image_format), pixels=2_000_000)
        assert error.value.details == {"found": 3, "allowed": 2}

    def test_inspect__as_many_pixels_as_allowed(self, save):
        assert inspect(save(Image.new("L", (100, 100))), pixels=10_000).width == 100

    def test_inspect__bomb_refused_before_it_unfolds(self, save):
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 6, 0, 0, 0))
        with pytest.raises(TooManyPixels) as error:
            inspect(save(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 99))))
        assert error.value.details == {"found": 3600, "allowed": 100}

    def test_inspect__bomb_inside_an_icon_refused(self, save):
        bomb = png(np.zeros((300, 300), np.uint8), colour_type=0)
        icon = struct.pack("<HHHBBBBHHII", 0, 1, 1, 16, 16, 0, 0, 1, 32, len(bomb), 22) + bomb
        with pytest.raises(TooManyPixels):
            inspect(save(icon), pixels=10_000)

    def test_inspect__canvas_of_a_bomb_is_never_allocated(self, save):
        frame = b"\x2f" + ((16_382) | (16_382 << 14)).to_bytes(4, "little") + bytes(8)
        lossless = b"VP8L" + struct.pack("<I", len(frame)) + frame + b"\0"
        with pytest.raises(TooManyPixels) as error:
            inspect(save(b"RIFF" + struct.pack("<I", 4 + len(lossless)) + b"WEBP" + lossless))
        assert error.value.details == {"found": 269, "allowed": 100}
        assert isinstance(error.value.__cause__, Image.DecompressionBombError)

    @pytest.mark.parametrize(("image_format", "fits"), [("PNG", True), ("WEBP", False), ("JPEG2000", False)])
    def test_inspect__hungry_decoders_get_fewer_pixels(self, save, image_format, fits):
        source = save(Image.new("RGB", (100, 100)), image_format)
        if fits:
            assert inspect(source, pixels=10_000).width == 100
        else:
            with pytest.raises(TooManyPixels):
                inspect(source, pixels=10_000)

    def test_inspect__deep_tiff_in_one_strip_gets_fewer_pixels(self, save):
        picture = Image.new("RGBA", (100, 100))
        inspect(save(picture, "TIFF", compression="tiff_lzw", strip_size=400), pixels=10_000)
        with pytest.raises(TooManyPixels):
            inspect(save(picture, "TIFF", compression="tiff_lzw", strip_size=40_000), pixels=10_000)

    def test_inspect__too_many_frames(self, save):
        frames = [Image.new("L", (4, 4), shade) for shade in range(0, 60, 10)]
        with pytest.raises(TooManyFrames) as error:
            inspect(save(frames[0], "GIF", save_all=True, append_images=frames[1:]), frames=5)
        assert error.value.details == {"found": 6, "allowed": 5}

    def test_inspect__too_many_pixels_over_all_frames(self, save):
        frames = [Image.new("L", (10, 10), shade) for shade in range(0, 60, 10)]
        with pytest.raises(TooManyPixels):
            inspect(save(frames[0], "GIF", save_all=True, append_images=frames[1:]), total_pixels=599)


class TestDamage:
    @pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF", "BMP", "JPEG2000", "GIF"])
    def test_render__half_a_file_is_corrupt(self, save, image_format):
        whole = save(Image.effect_noise((120, 120), 60).convert("RGB"), image_format).read_bytes()
        with pytest.raises(Corrupt):
            render(save(whole[: len(whole) // 2]))

    def test_render__truncated_says_so(self, save):
        whole = save(Image.effect_noise((120, 120), 60), "JPEG").read_bytes()
        with pytest.raises(Corrupt, match="it ends too early"):
            render(save(whole[: len(whole) // 2]))

    def test_render__damaged_first_frame_is_passed_over(self, save):
        noise = [Image.effect_noise((40, 40), 60), Image.new("L", (40, 40), 200)]
        whole = bytearray(save(noise[0], "PNG", save_all=True, append_images=noise[1:]).read_bytes())
        whole[whole.index(b"IDAT") + 40] ^= 0xFF
        assert alike(colour(rendition(save(bytes(whole)))), (200, 200, 200))

    @pytest.mark.parametrize("image_format", ["GIF", "PNG"])
    def test_render__animation_cut_off_after_its_first_frame_is_corrupt(self, save, image_format):
        frames = [Image.effect_noise((40, 40), 60) for _ in range(4)]
        whole = save(frames[0], image_format, save_all=True, append_images=frames[1:]).read_bytes()
        with pytest.raises(Corrupt):
            render(save(whole[: len(whole) * 5 // 8]))

    @pytest.mark.parametrize("tail", [b"\0\0\0", b""])
    def test_render__whole_animation_with_an_odd_end_is_fine(self, save, tail):
        frames = [Image.new("L", (40, 40), shade) for shade in (250, 20)]
        whole = save(frames[0], "GIF", save_all=True, append_images=frames[1:]).read_bytes()
        assert alike(colour(rendition(save(whole[:-1] + tail))), (250, 250, 250))

    def test_decoding__any_complaint_of_a_decoder_is_corrupt(self):
        for complaint in (
            SyntaxError,
            TypeError,
            ValueError,
            RuntimeError,
            struct.error,
            IndexError,
            OverflowError,
        ):
            with pytest.raises(Corrupt), decoder.decoding(Limits()):
                raise complaint

    def test_decoding__no_memory_is_a_resource_limit(self):
        with pytest.raises(ResourceLimit), decoder.decoding(Limits()):
            raise MemoryError

    @pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.ENOTCONN, errno.EMFILE])
    def test_decoding__a_failing_disk_is_our_fault(self, number):
        with pytest.raises(OSError, match="bad sector"), decoder.decoding(Limits()):
            raise OSError(number, "bad sector")

    def test_decoding__panic_of_a_decoder_in_rust_is_corrupt(self):
        panic = type("PanicException", (BaseException,), {})
        with pytest.raises(Corrupt), decoder.decoding(Limits()):
            raise panic("called unwrap on an Err")

    def test_decoding__a_stop_from_outside_passes(self):
        with pytest.raises(KeyboardInterrupt), decoder.decoding(Limits()):
            raise KeyboardInterrupt

    def test_decoding__a_lost_lease_passes(self):
        class LeaseLostError(Exception):
            pass

        with pytest.raises(LeaseLostError), decoder.decoding(Limits()):
            raise LeaseLostError

    def test_render__our_own_mistakes_are_not_disguised(self, save, monkeypatch):
        monkeypatch.setattr(images, "within_box", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            render(save(quarters()))


class TestUpright:
    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
    def test_render__turned_upright(self, save, image_format, orientation):
        source = save(laid(orientation), image_format, exif=exif(orientation))
        made = rendition(source)
        assert made.size == (60, 40)
        assert shows_quarters(made)

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_render__turned_upright_in_every_size(self, save, orientation):
        source = save(laid(orientation, 600, 400), "JPEG", exif=exif(orientation), quality=95)
        presets = [ImagePreset(f"webp-{box}", box, "WEBP", 80) for box in (30, 90, 120, 500)]
        for made in render(source, *presets).files:
            assert shows_quarters(read(made.path))

    def test_render__portrait_photo_turned_upright(self, save):
        made = rendition(save(laid(6, 400, 600), "JPEG", exif=exif(6)), ImagePreset("webp-160", 160, "WEBP", 80))
        assert made.size == (107, 160)

    def test_render__bad_exif_still_yields_a_rendition(self, save):
        assert shows_quarters(rendition(save(quarters(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")))


class TestSizes:
    def test_render__longest_side_fills_the_box(self, save):
        for size, expected in {(600, 300): (64, 32), (300, 600): (32, 64), (500, 500): (64, 64)}.items():
            assert rendition(save(Image.new("RGB", size))).size == expected

    def test_render__never_enlarged(self, save):
        assert rendition(save(Image.new("RGB", (10, 7)))).size == (10, 7)

    def test_render__a_line_of_one_pixel_stays_one(self, save):
        assert rendition(save(Image.new("RGB", (3000, 1)))).size == (64, 1)

    @pytest.mark.parametrize("long_side", [40, 160, 161, 1000, 2500])
    def test_render__the_presets_of_the_contract(self, save, long_side):
        source = save(Image.new("RGB", (long_side, 10)), "JPEG")
        made = render(source, *image_files(inspect(source))).files
        boxes = [box for box in (160, 320, 640, 1280, 2048) if box < long_side]
        boxes += [box for box in (160, 320, 640, 1280, 2048) if box >= long_side][:1]
        assert [(file.preset, file.width) for file in made] == [
            *((f"webp-{box}", min(box, long_side)) for box in boxes),
            ("jpeg-1280", min(1280, long_side)),
        ]

    def test_render__says_what_it_wrote(self, save):
        source = save(quarters(200, 100))
        webp, jpeg = render(source, WEBP, JPEG).files
        assert (webp.preset, webp.version, webp.content_type) == ("small", 1, "image/webp")
        assert (webp.path, jpeg.path) == (source.parent / "small.webp", source.parent / "mail.jpg")
        assert (webp.width, webp.height) == read(webp.path).size == (64, 32)
        assert [read(file.path).format for file in (webp, jpeg)] == ["WEBP", "JPEG"]

    def test_render__one_decode_for_all_sizes(self, save, monkeypatch):
        decoded = []
        monkeypatch.setattr(images, "load", lambda *given: decoded.append(1) or decoder.load(*given))
        render(save(quarters()), WEBP, JPEG, replace(WEBP, name="tiny", box=16))
        assert len(decoded) == 1

    def test_render__jpeg_decoded_no_larger_than_needed(self, save, monkeypatch):
        sizes = []
        monkeypatch.setattr(images, "load", lambda image, _: image.load() and sizes.append(image.size))
        source = save(Image.new("RGB", (1000, 600)), "JPEG")
        for box in (100, 130, 300, 600):
            render(source, replace(WEBP, box=box))
        assert sizes == [(125, 75), (250, 150), (500, 300), (1000, 600)]

    @pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P"])
    def test_thinned__in_strips_as_the_whole_would_be(self, mode):
        picture = quarters(720, 1500).convert(mode)
        thin = thinned(picture, (60, 125))
        assert thin.size == (120, 250)
        whole = plain(picture).resize(thin.size, Image.Resampling.BOX)
        assert np.abs(np.asarray(thin, int) - np.asarray(whole, int)).max() <= 1

    def test_thinned__at_least_twice_as_large_as_wanted(self):
        for length, expected in {399: 399, 400: 200, 599: 300, 600: 200}.items():
            assert thinned(Image.new("L", (length, length)), (100, 100)).width == expected

    def test_render__reports_after_each_size(self, save):
        heard = []
        render(save(quarters()), WEBP, JPEG, report=heard.append)
        assert heard == [0.5, 1.0]

    def test_render__on_three_threads_as_on_one(self, save):
        source = save(Image.effect_noise((300, 200), 50))
        presets = [replace(WEBP, name=f"webp-{box}", box=box) for box in (50, 100, 150, 200)]
        heard = []
        made = render(source, *presets, hands=3, report=heard.append).files
        several = [(file.preset, file.width, file.path.read_bytes()) for file in made]
        assert several == [(file.preset, file.width, file.path.read_bytes()) for file in render(source, *presets).files]
        assert heard == [0.25, 0.5, 0.75, 1.0]

    def test_render__the_largest_is_begun_first(self, save, monkeypatch):
        begun = []
        real = images.write
        monkeypatch.setattr(images, "write", lambda *given: begun.append(given[1].box) or real(*given))
        made = render(save(quarters()), *(replace(WEBP, name=f"webp-{box}", box=box) for box in (16, 64, 32))).files
        assert begun == [64, 32, 16]
        assert [file.preset for file in made] == ["webp-16", "webp-64", "webp-32"]

    def test_render__stops_where_the_report_raises(self, save):
        def lost(fraction):
            raise RuntimeError("lease lost")

        source = save(quarters())
        with pytest.raises(RuntimeError, match="lease lost"):
            render(source, WEBP, JPEG, report=lost)
        assert not (source.parent / "mail.jpg").exists()

    def test_cascade__each_size_from_the_nearest_twice_as_wide(self, monkeypatch):
        base = shrinking.Base(Image.new("RGB", (4000, 10)), (4000, 10), 1, None)
        steps = []
        real = shrinking.resized
        monkeypatch.setattr(shrinking, "resized", lambda i, size: steps.append((i.width, size[0])) or real(i, size))
        shrinking.cascade(base, {(width, 10) for width in (160, 320, 640, 1280, 2048)})
        assert steps == [(4000, 2048), (4000, 1280), (1280, 640), (640, 320), (320, 160)]


class TestColour:
    def test_render__p3_profile_becomes_srgb(self, save):
        expected = p3_as_srgb((200, 100, 100))
        assert expected[0] > 208  # the test would prove nothing if both spaces agreed on this colour
        made = rendition(save(Image.new("RGB", (64, 64), (200, 100, 100)), "JPEG", icc_profile=P3, quality=100))
        assert alike(colour(made), expected, 4)

    @pytest.mark.parametrize("image_format", ["PNG", "WEBP", "TIFF"])
    def test_render__profile_applied_under_transparency(self, save, image_format):
        picture = Image.new("RGBA", (64, 64), (200, 100, 100, 128))
        options = {"lossless": True} if image_format == "WEBP" else {}
        made = rendition(save(picture, image_format, icc_profile=P3, **options))
        assert alike(colour(made), (*p3_as_srgb((200, 100, 100)), 128), 4)

    def test_render__srgb_profile_changes_nothing(self, save):
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        assert alike(
            colour(rendition(save(Image.new("RGB", (9, 9), (200, 90, 30)), icc_profile=profile))),
            (200, 90, 30),
            6,
        )

    @pytest.mark.parametrize("profile", [b"junk", P3[:100], P3[:-60], b"\0" * 200])
    def test_render__broken_profile_ignored(self, save, profile):
        made = rendition(save(Image.new("RGB", (9, 9), (200, 90, 30)), "PNG", icc_profile=profile))
        assert alike(colour(made), (200, 90, 30), 6)

    def test_render__profile_of_other_channels_ignored(self, save):
        for mode in ("L", "CMYK"):
            made = rendition(save(Image.new(mode, (9, 9)), "TIFF", icc_profile=P3))
            assert alike(colour(made), WHITE if mode == "CMYK" else BLACK)

    @pytest.mark.parametrize("image_format", ["JPEG", "TIFF"])
    def test_render__cmyk_without_profile(self, save, image_format):
        for ink, expected in {(0, 0, 0, 0): WHITE, (0, 255, 255, 0): RED, (0, 0, 0, 255): BLACK}.items():
            made = rendition(save(Image.new("CMYK", (32, 32), ink), image_format))
            assert alike(colour(made), expected)

    def test_render__cmyk_inverted_by_adobe(self, save):
        source = save(Image.new("CMYK", (32, 32), (0, 255, 255, 0)), "JPEG")
        assert b"Adobe" in source.read_bytes()
        assert alike(colour(rendition(source)), RED)

    @pytest.mark.parametrize("image_format", ["JPEG", "TIFF"])
    def test_render__cmyk_by_its_profile(self, save, image_format):
        odd = cyan_is_red_profile()
        for ink, expected in {(255, 0, 0, 0): (227, 57, 5), (0, 0, 0, 0): WHITE}.items():
            made = rendition(save(Image.new("CMYK", (32, 32), ink), image_format, icc_profile=odd))
            assert alike(colour(made), expected, 45), ink

    def test_render__the_darkest_ink_is_black(self, save):
        picture = Image.new("CMYK", (32, 32), (0, 0, 0, 255))
        assert alike(colour(rendition(save(picture, "TIFF", icc_profile=cyan_is_red_profile()))), BLACK)

    def test_render__transparency_kept_in_webp(self, save):
        picture = Image.new("RGBA", (100, 100), (*RED, 255))
        picture.paste((0, 0, 0, 0), (50, 0, 100, 100))
        made = rendition(save(picture))
        assert made.mode == "RGBA"
        assert alike(colour(made, 0.25), (*RED, 255))
        assert colour(made, 0.75)[3] == 0

    def test_render__transparency_on_white_in_jpeg(self, save):
        picture = Image.new("RGBA", (100, 100), (0, 0, 0, 0))
        picture.paste((*RED, 128), (50, 0, 100, 100))
        made = rendition(save(picture), JPEG)
        assert alike(colour(made, 0.25), WHITE)
        assert alike(colour(made, 0.75), (255, 127, 127))

    def test_render__opaque_picture_stays_without_transparency(self, save):
        assert rendition(save(quarters())).mode == "RGB"

    def test_render__dark_under_transparency_does_not_bleed(self, save):
        picture = Image.new("RGBA", (640, 640), (0, 0, 0, 0))
        picture.paste((*WHITE, 255), (0, 0, 325, 640))
        made = np.asarray(rendition(save(picture), replace(WEBP, quality=100)))
        assert made[..., :3][made[..., 3] > 100].min() > 230

    def test_render__transparent_palette(self, save):
        picture = Image.new("P", (32, 32), 1)
        picture.putpalette([*BLUE, *RED])
        picture.paste(0, (0, 0, 16, 32))
        for image_format in ("PNG", "GIF"):
            made = rendition(save(picture, image_format, transparency=0))
            assert colour(made, 0.2)[3] == 0
            assert alike(colour(made, 0.8), (*RED, 255))

    def test_render__palette_with_half_transparent_entries(self, save):
        picture = Image.new("P", (32, 32), 1)
        picture.putpalette([*BLUE, *RED])
        assert alike(colour(rendition(save(picture, "PNG", transparency=bytes((255, 100))))), (*RED, 100))

    @pytest.mark.parametrize(("mode", "key"), [("L", 7), ("RGB", (1, 2, 3)), ("1", 0)])
    def test_render__one_transparent_colour(self, save, mode, key):
        made = rendition(save(Image.new(mode, (16, 16), key), "PNG", transparency=key))
        assert colour(made)[3] == 0

    @pytest.mark.parametrize("key", [0, 40_000])
    def test_render__one_transparent_shade_of_16_bit(self, save, key):
        samples = np.full((16, 16), 20_000, np.uint16)
        samples[:, :8] = key
        made = rendition(save(png(samples, 0, before=chunk(b"tRNS", struct.pack(">H", key)))))
        assert colour(made, 0.2)[3] == 0
        assert alike(colour(made, 0.8), (78, 78, 78, 255))

    @pytest.mark.parametrize("key", [(65535, 0, 0), (0x1234, 0x5678, 0x9ABC)])
    def test_render__one_transparent_colour_of_16_bit(self, save, key):
        samples = np.full((16, 16, 3), (0, 0, 65535), np.uint16)
        samples[:, :8] = key
        made = rendition(save(png(samples, 2, before=chunk(b"tRNS", struct.pack(">HHH", *key)))))
        assert colour(made, 0.2)[3] == 0
        assert alike(colour(made, 0.8), (*BLUE, 255))

    @pytest.mark.parametrize(
        ("colour_type", "sample", "expected"),
        [
            (0, (32896,), (128, 128, 128)),
            (2, (65535, 32896, 0), (255, 128, 0)),
            (4, (32896, 16448), (128, 128, 128, 64)),
            (6, (65535, 32896, 0, 32896), (255, 128, 0, 128)),
        ],
    )
    def test_render__16_bit_png_reduced_to_8(self, save, colour_type, sample, expected):
        samples = np.full((32, 32, len(sample)), sample, np.uint16)
        assert alike(colour(rendition(save(png(samples, colour_type)))), expected, 6)

    @pytest.mark.parametrize("order", ["<", ">"])
    def test_render__16_bit_tiff_reduced_to_8(self, save, order):
        samples = np.full((32, 32), 32896, np.uint16).astype(f"{order}u2")
        picture = Image.frombytes("I;16" if order == "<" else "I;16B", (32, 32), samples.tobytes())
        assert alike(colour(rendition(save(picture, "TIFF"))), (128, 128, 128), 4)

    def test_render__16_bit_ramp_keeps_its_steps(self, save):
        ramp = np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (64, 1))
        made = np.asarray(rendition(save(png(ramp, 0)), replace(WEBP, quality=100)).convert("L"), int)
        assert np.abs(made[32] - np.linspace(0, 255, 64)).max() < 6

    @pytest.mark.parametrize(("mode", "half", "white"), [("F", 0.5, 1.0), ("I", 32896, 65535), ("F", 128, 255)])
    def test_render__floats_and_long_integers_by_their_range(self, save, mode, half, white):
        picture = Image.new(mode, (32, 32), half)
        picture.paste(white, (0, 0, 8, 32))
        made = rendition(save(picture, "TIFF"))
        assert alike(colour(made, 0.1), WHITE)
        assert alike(colour(made, 0.8), (128, 128, 128))

    @pytest.mark.parametrize(
        ("mode", "paint", "expected"),
        [
            ("1", 1, WHITE),
            ("L", 90, (90, 90, 90)),
            ("LA", (90, 128), (90, 90, 90, 128)),
            ("YCbCr", (76, 85, 255), RED),
            ("LAB", (255, 128, 128), WHITE),
        ],
    )
    def test_render__every_mode(self, save, mode, paint, expected):
        assert alike(colour(rendition(save(Image.new(mode, (32, 32), paint), "TIFF"))), expected)

    @pytest.mark.parametrize(
        ("mode", "paint", "expected"),
        [("La", (45, 128), (90, 128)), ("RGBa", (64, 0, 0, 128), (127, 0, 0, 128)), ("RGBX", (*RED, 0), RED)],
    )
    def test_plain__modes_that_only_decoders_write(self, mode, paint, expected):
        assert alike(colour(plain(Image.new(mode, (8, 8), paint))), expected, 1)


class TestMetadata:
    @pytest.mark.parametrize("preset", [WEBP, JPEG])
    @pytest.mark.parametrize("side", [40, 400])
    @pytest.mark.parametrize("profile", [P3, b"broken", None])
    def test_render__nothing_but_pixels_left(self, save, preset, side, profile):
        tags = exif(1, **{"0x010f": "Secret camera", "0x8825": {1: "N", 2: (52.0, 30.0, 0.0)}})
        source = save(
            quarters(side, side),
            "JPEG",
            exif=tags,
            comment=b"Secret comment",
            xmp=b"<x>Secret xmp</x>",
            icc_profile=profile,
        )
        assert source.read_bytes().count(b"Secret") == 3
        made = rendition(source, preset)
        content = Path(made.filename).read_bytes()
        assert not made.getexif()
        assert not {"exif", "icc_profile", "xmp", "comment"} & made.info.keys()
        assert not any(word in content for word in (b"Secret", b"Exif", b"ICC", b"ICCP", b"XMP", b"GPS"))

    def test_render__text_of_a_png_left_behind(self, save):
        text = PngImagePlugin.PngInfo()
        text.add_text("Comment", "Secret")
        made = rendition(save(quarters(), "PNG", pnginfo=text), JPEG)
        assert b"Secret" not in Path(made.filename).read_bytes()


class TestPlaceholder:
    def test_render__blurhash_of_4_by_3(self, save):
        assert blurhash.components(render(save(quarters())).placeholder) == (4, 3)

    def test_render__blurhash_shows_the_picture_upright(self, save):
        seen = blurhash.decode(render(save(laid(6), "JPEG", exif=exif(6))).placeholder, 4, 4)
        assert seen[0][0][0] > 200 > seen[0][0][2]
        assert seen[3][0][2] > 200 > seen[3][0][0]

    def test_render__dominant_colour_beside_it(self, save):
        assert render(save(Image.new("RGB", (300, 200), BLUE), "PNG")).colour == "#0000ff"

    def test_render__blurhash_of_a_single_pixel(self, save):
        assert blurhash.decode(render(save(Image.new("RGB", (1, 1), RED))).placeholder, 1, 1)[0][0][0] > 230

    def test_render__blurhash_of_transparency_is_white(self, save):
        seen = blurhash.decode(render(save(Image.new("RGBA", (40, 40), (0, 0, 0, 0)))).placeholder, 2, 2)
        assert min(seen[0][0]) > 240


class TestAnimation:
    @pytest.mark.parametrize("image_format", ["GIF", "PNG", "WEBP", "AVIF"])
    def test_render__first_frame_of_an_animation(self, save, image_format):
        frames = [Image.new("RGB", (32, 32), paint) for paint in (RED, GREEN, BLUE)]
        made = rendition(save(frames[0], image_format, save_all=True, append_images=frames[1:]))
        assert alike(colour(made)[:3], RED)
        assert getattr(made, "n_frames", 1) == 1


class TestAlone:
    def run(self, *arguments):
        command = [sys.executable, "-m", "processing.engines.images", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    def test_alone__prints_facts_and_files_and_nothing_else(self, save, tmp_path):
        done = self.run(save(laid(6, 400, 300), "JPEG", exif=exif(6)), tmp_path / "out")
        answer = json.loads(done.stdout)
        assert (done.returncode, done.stderr) == (0, "")
        assert answer["facts"]["orientation"] == 6
        assert [file["preset"] for file in answer["files"]] == [
            "webp-160",
            "webp-320",
            "webp-640",
            "jpeg-1280",
        ]
        assert all(Path(file["path"]).stat().st_size == file["bytes"] > 0 for file in answer["files"])
        assert answer["seconds"] > 0
        assert answer["placeholder"]

    def test_alone__says_what_is_wrong_with_the_media(self, save, tmp_path):
        done = self.run(save(b"no image"), tmp_path / "out")
        assert done.returncode == 1
        assert json.loads(done.stdout) == {
            "error": {"code": "unsupported_type", "message": UnsupportedType.sentence, "details": {}}
        }

    def test_alone__explains_its_usage(self, tmp_path):
        done = self.run(tmp_path / "gone", tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert "SOURCE FOLDER" in done.stderr

    def test_alone__knows_neither_django_nor_celery(self):
        code = "import sys, processing.engines.images; print({'django', 'celery'} & set(sys.modules))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout == "set()\n"


def test_decoder__forty_formats_are_not_all_allowed():
    formats = {"JPEG", "PNG", "GIF", "BMP", "WEBP", "AVIF", "HEIF", "RAW", "TIFF", "JPEG2000", "ICO", "JXL"}
    assert set(decoder.FORMATS) == formats


def test_render__icon(save):
    made = rendition(save(quarters(64, 64).convert("RGBA"), "ICO", sizes=[(16, 16), (64, 64)]))
    assert made.size == (64, 64)
    assert shows_quarters(made.convert("RGB"))
