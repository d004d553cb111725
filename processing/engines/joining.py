"""What we say to ffmpeg to join pieces by copying. Pure: nothing is run here."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from processing.engines import ffmpeg
from processing.engines.encoding import TIME_SCALE

# Pieces are files of ours; the list of them is the one playlist that ffmpeg ever gets to read. Their
# headers are equal, so packets pass as they are.
PIECES = [
    *("-protocol_whitelist", "file", "-format_whitelist", "concat,mov"),
    *("-f", "concat", "-safe", "0", "-auto_convert", "0"),
]
OURS = ["-protocol_whitelist", "file", "-format_whitelist", "mov"]
# A player reads the whole index of a download before the first frame; of a stream, one GOP's at a time.
DOWNLOAD = ["-movflags", "+faststart"]
# The index of each GOP before it. The header waits for the first packets, as it says by how much the
# decoder is early: pictures by what B-frames hold back, sound by what AAC needs to begin.
STREAM = ["-movflags", "+frag_keyframe+default_base_moof+delay_moov"]
STREAMED_SOUND = ["-movflags", "+default_base_moof+delay_moov"]
COPIED = [
    *("-map_metadata", "-1", "-map_chapters", "-1", "-c", "copy"),
    *("-video_track_timescale", str(TIME_SCALE), "-f", "mp4"),
]


@dataclass(frozen=True)
class Joint:
    """A piece where it is joined: its file, and when its clock begins in seconds of the source's."""

    path: Path
    begins: float


def piece_list(joints: Sequence[Joint]) -> str:
    """A list of pieces, as text: each piece lasts until the next begins, whatever its own last frame claims."""
    lines = ["ffconcat version 1.0"]
    for number, joint in enumerate(joints):
        lines.append(f"file {_quoted(joint.path)}")
        if number + 1 < len(joints):
            lines.append(f"duration {joints[number + 1].begins - joint.begins:.6f}")
    return "\n".join([*lines, ""])


def _quoted(path: Path) -> str:
    """A path as the concat demuxer reads it: a quote within quotes is written outside them."""
    return "'file:" + str(path.absolute()).replace("'", "'\\''") + "'"


@dataclass(frozen=True)
class Copy:
    """A file to be made by copying: its name, what says how it is laid out, and ffmpeg's inputs with the kind of
    stream that is taken of each."""

    name: str
    layout: Sequence[str]
    inputs: Sequence[tuple[Sequence[str], str]]


def download(name: str, pieces: str, sound: Path | None, late: float) -> Copy:
    """An MP4 of the list `pieces` and the sound, whose picture begins `late` seconds after it."""
    picture = ["-itsoffset", f"{late:.6f}", *PIECES, "-i", pieces]
    heard = [([*OURS, "-i", ffmpeg.url(sound)], "a")] if sound else []
    return Copy(name, DOWNLOAD, [(picture, "v"), *heard])


def stream(name: str, pieces: str) -> Copy:
    """A fragmented MP4 of the list `pieces`, a fragment for each GOP."""
    return Copy(name, STREAM, [([*PIECES, "-i", pieces], "v")])


def streamed_sound(name: str, sound: Path, seconds: float) -> Copy:
    """A fragmented MP4 of the sound, fragments of about that many seconds."""
    cut = ["-frag_duration", f"{round(seconds * 1e6)}"]
    return Copy(name, [*STREAMED_SOUND, *cut], [([*OURS, "-i", ffmpeg.url(sound)], "a")])


def argv(copies: Iterable[Copy]) -> list[str]:
    """ffmpeg's argv for all of these by one process: to start one takes longer than to copy a minute."""
    inputs: list[str] = []
    outputs: list[str] = []
    count = 0
    for copy in copies:
        for said, kind in copy.inputs:
            inputs += said
            outputs += ["-map", f"{count}:{kind}"]
            count += 1
        outputs += [*COPIED, *copy.layout, copy.name]
    return ["ffmpeg", *ffmpeg.QUIET, "-y", *inputs, *outputs]
