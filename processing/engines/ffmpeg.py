"""What we say to ffmpeg and ffprobe, and what their last words mean. Pure: nothing is run here.

Files are written by bare name: run the command in the folder they belong in.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ffmpeg as ff

from processing.engines import capture, disk
from processing.errors import Corrupt, MediaError, ResourceLimit, TooManyPixels, UnsupportedType
from processing.facts import Facts, Limits
from processing.presets import Rung, by_short_side

# Containers people film and edit in. A playlist (hls, dash, concat, sdp) dressed as one of them is
# refused by name, so it can make us read no sibling file: 0 of 29 did, 5 of 29 without the list.
FORMATS = "mov,matroska,avi,mpegts,mpeg,flv,asf,ogg"

# Decoders fuzzed for years because browsers, phones and players run them. Left out are the exotic
# ones where the holes are found (MagicYUV: CVE-2026-8461, unpatched in Debian 12's 5.1.9).
VIDEO_DECODERS = (
    "h264 hevc libdav1d av1 vp8 vp9 mpeg4 mpeg1video mpeg2video h263 h263i h263p h261 flv vp3 theora "
    "vp6 vp6a vp6f msmpeg4v1 msmpeg4v2 msmpeg4 wmv1 wmv2 wmv3 vc1 mjpeg prores dnxhd dvvideo svq1 svq3 png"
)
AUDIO_DECODERS = (
    "aac aac_latm ac3 eac3 mp1float mp2float mp3float mp1 mp2 mp3 opus vorbis flac alac dca truehd "
    "amrnb amrwb wmav1 wmav2 wmapro wmavoice nellymoser libspeex speex qdm2 adpcm_ms adpcm_ima_wav "
    "adpcm_ima_qt adpcm_swf gsm_ms pcm_alaw pcm_mulaw pcm_u8 pcm_s8 pcm_s16le pcm_s16be pcm_s24le "
    "pcm_s24be pcm_s32le pcm_s32be pcm_f32le pcm_f32be pcm_f64le pcm_f64be pcm_bluray pcm_dvd dvaudio"
)
# Never shown, but ffprobe gives up on a file with a stream that it may not open.
SUBTITLE_DECODERS = "ass ssa srt subrip webvtt mov_text dvbsub dvdsub pgssub xsub text cc_dec libzvbi_teletextdec"
CODECS = ",".join(f"{VIDEO_DECODERS} {AUDIO_DECODERS} {SUBTITLE_DECODERS}".split())

QUIET = ["-nostdin", "-hide_banner", "-loglevel", "error"]

FASTEST = 60  # frames a second: more doubles the bytes and no browser shows them
THREADS = 4  # of each codec where that is left open (0): five codecs of four keep 16 cores busy in 4 GiB
LONGEST_SIDE = 16_384  # pixels: the most that x264 encodes
DROPPED: dict[str, Any] = {"map_metadata": -1, "map_chapters": -1, "sn": None, "dn": None}  # of every output
THUMBNAIL_FRAMES = 30  # buffered by the filter, 4 MB each at the poster's size
INTERLACED = ("tt", "bb", "tb", "bt")
# These decoders call a full range yuvj420p: of theirs, yuv420p is limited.
TOLD_APART = ("h264", "hevc")
HDR_TRANSFERS = ("smpte2084", "arib-std-b67")  # PQ and HLG
POSTER_FRAME = "poster.png"
POSTER_STRETCH = 2  # seconds: about a shot, so that a fade or a blurred pan does not win


@dataclass(frozen=True)
class Tracks:
    """Which streams of a source to decode, and how its picture is stored.

    `video` and `audio` are stream indexes. `fast` says that it has more than FASTEST frames a
    second, `matrix` which YCbCr it is (swscale's names), `hdr` is its transfer function (zscale's
    name) if that is PQ or HLG, else empty. `plain` is stored as we store it.
    """

    video: int
    audio: int | None = None
    fast: bool = False
    interlaced: bool = False
    matrix: str = "bt709"
    hdr: str = ""
    plain: bool = False


def tracks_of(facts: Facts) -> Tracks:
    """What facts say of the streams to decode."""
    return Tracks(
        video=facts.video_track,
        audio=facts.audio_track,
        fast=(facts.frame_rate or 0) > FASTEST + 1,
        interlaced=facts.field_order in INTERLACED,
        matrix=facts.matrix,
        hdr=facts.transfer if facts.transfer in HDR_TRANSFERS else "",
        plain=(facts.pixel_format, facts.matrix) == ("yuv420p", "bt709") and facts.video_codec in TOLD_APART,
    )


def input_options(limits: Limits) -> dict[str, Any]:
    """What every untrusted input is opened with; it goes before the input's name."""
    return {
        "protocol_whitelist": "file",
        "format_whitelist": FORMATS,
        "codec_whitelist": CODECS,
        "max_pixels": limits.pixels,
    }


def url(source: Path) -> str:
    """The source's name as ffmpeg gets it: a local file, whatever its name looks like."""
    return f"file:{source.absolute()}"


def describe(source: Path, limits: Limits) -> list[str]:
    """ffprobe's argv for a JSON of the container and its streams."""
    entries = (
        "format=format_name,start_time,duration,nb_streams,size"
        ":stream=index,codec_type,codec_name,width,height,sample_aspect_ratio,avg_frame_rate,r_frame_rate"
        ",start_time,duration,nb_frames,color_space,color_transfer,color_primaries,field_order,pix_fmt"
        ",sample_rate,channels,channel_layout,profile"
        f":format_tags={capture.CONTAINER},{capture.APPLE}:stream_tags=language,title"
        ":stream_disposition=attached_pic:stream_side_data=rotation"
    )
    return [*_probe(limits), "-print_format", "json=compact=1", "-show_entries", entries, url(source)]


def list_packets(source: Path, stream: int, limits: Limits, seconds: float | None = None) -> list[str]:
    """ffprobe's argv for one line `pts_time,duration_time` per packet of a stream; decodes nothing.

    Of all its packets, or of the first `seconds`.
    """
    stretch = [] if seconds is None else ["-read_intervals", f"%+{seconds}"]
    return _list(source, stream, "pts_time,duration_time", limits, *stretch)


def list_whole_packets(source: Path, stream: int, limits: Limits) -> list[str]:
    """ffprobe's argv for one line `pts_time,dts_time,duration_time,size,pos,flags` per packet of a stream."""
    return _list(source, stream, "pts_time,dts_time,duration_time,size,pos,flags", limits)


def _list(source: Path, stream: int, entries: str, limits: Limits, *more: str) -> list[str]:
    shown = ["-show_entries", f"packet={entries}", "-print_format", "csv=print_section=0"]
    return [*_probe(limits), "-select_streams", str(stream), *shown, *more, url(source)]


def _probe(limits: Limits) -> list[str]:
    options = [word for name, value in input_options(limits).items() for word in (f"-{name}", str(value))]
    return ["ffprobe", "-hide_banner", "-loglevel", "error", *options]


def poster(source: Path, tracks: Tracks, size: tuple[int, int], start: float, limits: Limits) -> list[str]:
    """ffmpeg's argv for POSTER_FRAME: the most typical frame of the stretch from `start` seconds on.

    Shrunk before the frames are compared: the filter holds THUMBNAIL_FRAMES of them, and 8K ones
    would be 3 GB.
    """
    film = opened(source, limits, ss=start, t=POSTER_STRETCH)
    picture = scaled(whole_frames(film[str(tracks.video)], tracks), size, tracks, "lanczos")
    picture = drawn(picture).filter("thumbnail", n=THUMBNAIL_FRAMES)
    return argv(output(POSTER_FRAME, picture, f="image2", **{"frames:v": 1, "update": 1, "c:v": "png"}), limits)


def file_name(rung: Rung) -> str:
    """The rung's file."""
    return f"{rung.name}.{rung.extension}"


def rung_size(width: int, height: int, rung: Rung) -> tuple[int, int]:
    """The (width, height) of a rung made from a picture of that displayed size."""
    return by_short_side(width, height, rung.short_side)


def opened(source: Path, limits: Limits, **options: Any) -> Any:
    """A source as an input of ffmpeg."""
    return ff.input(url(source), threads=threads(limits), **input_options(limits), **options)


def output(name: str, *streams: Any, **options: Any) -> Any:
    """A file of these streams, without what the source said of itself."""
    return ff.output(*streams, name, **options, **DROPPED)


def threads(limits: Limits) -> int:
    """Threads of each decoder and encoder; THREADS where that is left open."""
    return limits.threads or THREADS


def argv(made: Any, limits: Limits, *more: str) -> list[str]:
    """The whole command for one output, or for several merged."""
    command = ["ffmpeg", *QUIET, "-y", *more, "-filter_complex_threads", str(threads(limits))]
    return [str(word) for word in ff.compile(made, cmd=command)]


def whole_frames(picture: Any, tracks: Tracks) -> Any:
    """The decoded picture, each two fields as one frame."""
    return picture.filter("bwdif", mode="send_frame", deint="interlaced") if tracks.interlaced else picture


def scaled(picture: Any, size: tuple[int, int], tracks: Tracks, method: str) -> Any:
    """The picture in square pixels of that size, as limited-range BT.709 in 8 bits."""
    if tracks.hdr:
        return _toned(picture.filter("scale", *size, flags=method), tracks).filter("setsar", 1)
    # Told of colours, the filter copies what it need not scale: 1 % of a ladder whose largest size is the source's.
    converted = {"in_color_matrix": tracks.matrix, "out_color_matrix": "bt709", "out_range": "tv"}
    picture = picture.filter("scale", *size, flags=method, **({} if tracks.plain else converted))
    return picture.filter("format", "yuv420p").filter("setsar", 1)


def drawn(picture: Any) -> Any:
    """A scaled picture in RGB, as still images keep it.

    Said in full: left to itself ffmpeg goes by the source's tag, which `scaled` has outdone. Reds of a
    BT.601 film came out (183, 30, 48) for (200, 50, 50).
    """
    return picture.filter("scale", in_color_matrix="bt709", in_range="tv").filter("format", "rgb24")


def _toned(picture: Any, tracks: Tracks) -> Any:
    """HDR (BT.2020) brought into what every screen shows; in linear light, as the maths wants it."""
    source = {"tin": tracks.hdr, "min": "2020_ncl", "pin": "2020"}
    return (
        picture.filter("zscale", t="linear", npl=100, **source)
        .filter("format", "gbrpf32le")
        .filter("zscale", p="709")
        .filter("tonemap", "hable", desat=0)
        .filter("zscale", t="709", m="709", r="limited")
        .filter("format", "yuv420p")
    )


REFUSED = re.compile("Format not on whitelist|not on whitelist|Unsupported codec")
OUT_OF_MEMORY = re.compile("Cannot allocate memory|malloc of size|Error allocating|out of memory", re.IGNORECASE)
# Our files, our own words to ffmpeg; our disk besides.
OURS = re.compile(
    "Permission denied|No such file or directory|Resource temporarily unavailable"
    "|Unrecognized option|Option not found|Error splitting the argument list|Unknown encoder|No such filter",
)


def blame(status: int, tail: str, source: Path, memory: int, pixels: int) -> MediaError | None:
    """What is wrong with the media, from how ffmpeg or ffprobe ended; None if the fault is ours.

    `memory` (bytes) and `pixels` are the limits it ran under. A death by signal is ours: who was
    killed by the kernel or an operator deserves another try.
    """
    if status < 0 or OURS.search(tail) or disk.WORDS.search(tail):
        return None
    if OUT_OF_MEMORY.search(tail):
        return ResourceLimit(allowed=f"{memory >> 20} MiB of memory")
    if REFUSED.search(tail):
        return UnsupportedType()
    return too_many_pixels(tail, pixels) or Corrupt(reason=reason(tail, source))


def too_many_pixels(tail: str, allowed: int) -> TooManyPixels | None:
    """The error for a picture that -max_pixels refused, if the tail tells of one."""
    refused = re.search(r"Picture size (\d+)x(\d+)", tail)
    if refused is None:
        return None
    return TooManyPixels(found=megapixels(int(refused[1]) * int(refused[2])), allowed=megapixels(allowed))


def megapixels(pixels: int) -> float:
    """For people: with one decimal."""
    return round(pixels / 1e6, 1)


def reason(tail: str, source: Path) -> str:
    """The tail for people: no addresses, no paths of ours, nothing twice."""
    lines = (re.sub(r"\[[^\]]* @ 0x[0-9a-f]+\] ?", "", line) for line in tail.splitlines())
    plain = (line.replace(url(source), "file").strip() for line in lines)
    return "; ".join(dict.fromkeys(line for line in plain if line)) or "nothing could be decoded"
