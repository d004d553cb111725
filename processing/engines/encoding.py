"""What we say to ffmpeg to encode a part of the picture in every size, or the whole of the sound. Pure."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ffmpeg as ff

from processing.engines import cutting, encoders, ffmpeg
from processing.engines.ffmpeg import Tracks
from processing.facts import Facts, Limits, Part
from processing.presets import Rung, Sound

GOP = 2  # seconds between keyframes: what players seek to, and a divisor of every HLS segment length
# Ticks a second. One divides 1/24, 1/25, 1/30, 1/50, 1/60 and their NTSC cousins (x 1000/1001)
# exactly. By default ffmpeg rounds to the guessed frame rate, and a phone's variable rate stutters.
TIME_SCALE = 360_000
USUAL = 25  # frames a second, where nobody can tell
AUDIO_RATE = 48_000  # Hz
SOUND_FILE = "audio.m4a"
# Where no index leads to a keyframe, ffmpeg lands somewhere before the time it is sent to, and
# decodes from the next keyframe on: a second earlier finds one that comes before ours.
SEARCHED = 1.0
NEW_TIME = "isnan(prev_t)+gt(t,prev_t)"  # of two frames at the same time, or back in time, the first stays
INDEXED = ("mov", "matroska")  # formats whose index names each keyframe by the time it is read
# A film whose sound cannot be decoded is still worth seeing: no share of bad packets is a failure.
FORGIVING = ("-progress", "pipe:1", "-nostats", "-max_error_rate", "1")
PEAK = -1.5  # dBTP: what AAC overshoots by at most when it decodes
RANGE = 11  # LU


def rungs(
    source: Path,
    part: Part,
    facts: Facts,
    sizes: Sequence[tuple[Rung, tuple[int, int]]],
    limits: Limits,
) -> list[str]:
    """ffmpeg's argv for one part in all sizes: one decode, one encoder a size, no sound.

    Writes a file for each rung, whose clock begins at the part's start. Progress comes on stdout.
    """
    tracks = ffmpeg.tracks_of(facts)
    film = ffmpeg.opened(source, limits, **_sent_to(part, facts, limits))
    picture = _stretch(ffmpeg.whole_frames(film[str(tracks.video)], tracks), part, facts, tracks)
    ordered = sorted(sizes, key=lambda item: item[1], reverse=True)
    streams = _cascade(picture, [size for _, size in ordered], tracks)
    files = [
        ffmpeg.output(ffmpeg.file_name(rung), stream, **_options(rung, part, facts, limits))
        for (rung, _), stream in zip(ordered, streams, strict=True)
    ]
    clock = ["-copyts"] if facts.steady else []
    return ffmpeg.argv(ff.merge_outputs(*files), limits, "-progress", "pipe:1", "-nostats", *clock)


def said_of(part: Part, facts: Facts) -> str:
    """What a piece says of its part: when its clock begins and its frames."""
    fast = ffmpeg.tracks_of(facts).fast
    begins = cutting.beat(part.start, ffmpeg.FASTEST) / ffmpeg.FASTEST if fast else part.start
    return f"{begins:.6f} {part.frames}"


def _sent_to(part: Part, facts: Facts, limits: Limits) -> dict[str, Any]:
    """Input options that bring ffmpeg to the keyframe of a part."""
    if not facts.steady:
        return {"t": limits.duration}
    begun = target(part.start, facts)
    if part.number == 0 or begun <= facts.start:  # some formats lose their place when sent before the beginning
        return {}
    return {"ss": f"{begun:.6f}", "seek_timestamp": 1, "noaccurate_seek": None}


def target(start: float, facts: Facts) -> float:
    """The time of the source's clock that ffmpeg is sent to for a part that begins at `start`."""
    searched = 0.0 if facts.format in INDEXED else SEARCHED
    return cutting.seek_time(start, facts.lead, ffmpeg.tracks_of(facts).interlaced) - searched


def _stretch(picture: Any, part: Part, facts: Facts, tracks: Tracks) -> Any:
    """The frames of a part, each at its own time since the part's start."""
    if not facts.steady:
        picture = picture.filter("fps", ffmpeg.FASTEST) if tracks.fast else picture.filter("select", NEW_TIME)
        return picture.filter("setpts", "PTS-STARTPTS")
    start, end = part.start - cutting.SAME, part.end - cutting.SAME
    if not tracks.fast:
        picture = picture.filter("trim", start=f"{start:.6f}", end=f"{end:.6f}").filter("select", NEW_TIME)
        return picture.filter("setpts", f"round(PTS-{part.start:.6f}/TB)")
    # On one beat through all parts: what is before the first beat after the end belongs to the next.
    picture = picture.filter("trim", start=f"{start:.6f}", end=f"{end + 1:.6f}").filter("fps", ffmpeg.FASTEST)
    return picture.filter("setpts", "PTS-STARTPTS")


def parents(sizes: Sequence[tuple[int, int]]) -> list[int | None]:
    """For each size, largest first, the number of the one it is scaled from; None is the source.

    The smallest larger one that is still 1.5 times as high: scaling from it costs less than from the
    largest, and a smaller step would blur twice.
    """
    chosen: list[int | None] = []
    for number, (_, height) in enumerate(sizes):
        enough = [n for n in range(number) if sizes[n][1] >= 1.5 * height]
        chosen.append(enough[-1] if enough else (0 if number else None))
    return chosen


def _cascade(picture: Any, sizes: Sequence[tuple[int, int]], tracks: Tracks) -> list[Any]:
    """The picture in each size, largest first, each scaled from its parent."""
    chosen = parents(sizes)
    outlets: list[list[Any]] = []
    for number, size in enumerate(sizes):
        parent = chosen[number]
        if parent is None:
            scaled = ffmpeg.scaled(picture, size, tracks, "bicubic")
        else:
            scaled = outlets[parent].pop().filter("scale", *size, flags="bicubic").filter("setsar", 1)
        copies = 1 + chosen.count(number)
        if copies == 1:
            outlets.append([scaled])
        else:
            split = scaled.filter_multi_output("split", copies)
            outlets.append([split[copy] for copy in range(copies)])
    return [outlet.pop() for outlet in outlets]


def _options(rung: Rung, part: Part, facts: Facts, limits: Limits) -> dict[str, Any]:
    """Options of one encoder and its file: the same for every part, so that they join."""
    options: dict[str, Any] = {
        "f": "mp4",
        "video_track_timescale": TIME_SCALE,
        "metadata": f"comment={said_of(part, facts)}",
        **encoders.options(rung, min(facts.frame_rate or USUAL, ffmpeg.FASTEST), limits),
        # Forced by time, so that every rung has its keyframes at the same frames, whatever the rate.
        "force_key_frames:v": keyframes(part.start - facts.start),
        # Frames keep their own times; the filters have dropped and repeated what there was to.
        "fps_mode:v": "passthrough",
        "enc_time_base:v": f"1/{TIME_SCALE}",
        "color_primaries": "bt709",
        "color_trc": "bt709",
        "colorspace": "bt709",
        "color_range": "tv",
    }
    return {**options, "frames:v": part.frames} if facts.steady else options


def keyframes(begun: float) -> str:
    """ffmpeg's expression for a keyframe at the first frame of each GOP of the film's clock.

    For a part that begins at that many seconds of it. A stretch without frames skips GOPs.
    """
    phase = f"{begun % GOP + 50 * cutting.SAME:.6f}"
    return f"expr:isnan(prev_forced_t)+gt(floor((t+{phase})/{GOP}),floor((prev_forced_t+{phase})/{GOP}))"


def sound(
    source: Path, track: int, preset: Sound, limits: Limits, measured: Mapping[str, str] | None = None
) -> list[str]:
    """ffmpeg's argv for SOUND_FILE: the whole of a track, from the film's start. Progress comes on stdout.

    `measured` is what `loudness` found, where the preset asks for a loudness.
    """
    heard = _heard(source, track, limits)
    if measured:
        heard = heard.filter("loudnorm", **_aim(preset), linear="true", **measured)
    options = {"c:a": "aac", "b:a": f"{preset.kbits}k", "ac": 2, "ar": AUDIO_RATE, "f": "mp4"}
    return ffmpeg.argv(ffmpeg.output(SOUND_FILE, heard, **options), limits, *FORGIVING)


def loudness(source: Path, track: int, preset: Sound, limits: Limits) -> list[str]:
    """ffmpeg's argv to measure how loud a track is; the answer is JSON at the end of stderr."""
    heard = _heard(source, track, limits).filter("loudnorm", **_aim(preset), print_format="json")
    made = ffmpeg.output("-", heard, f="null")
    return ffmpeg.argv(made, limits, *FORGIVING, "-loglevel", "info")


def _heard(source: Path, track: int, limits: Limits) -> Any:
    """A track from the film's start on; gaps become silence, as AAC in MP4 has no holes."""
    film = ffmpeg.opened(source, limits, t=limits.duration)
    return film[str(track)].filter("aresample", **{"async": 1, "first_pts": 0})


def _aim(preset: Sound) -> dict[str, Any]:
    return {"I": preset.loudness, "TP": PEAK, "LRA": RANGE}
