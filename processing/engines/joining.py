"""What we say to ffmpeg to join pieces by copying. Pure: nothing is run here."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from processing.engines import ffmpeg
from processing.engines.encoding import TIME_SCALE

LIST = "pieces.txt"
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


@dataclass(frozen=True)
class Joint:
    """A piece where it is joined: its file, and when its clock begins in seconds of the source's."""

    path: Path
    begins: float


def piece_list(joints: Sequence[Joint]) -> str:
    """What LIST says: each piece lasts until the next begins, whatever its own last frame claims."""
    lines = ["ffconcat version 1.0"]
    for number, joint in enumerate(joints):
        lines.append(f"file {_quoted(joint.path)}")
        if number + 1 < len(joints):
            lines.append(f"duration {joints[number + 1].begins - joint.begins:.6f}")
    return "\n".join([*lines, ""])


def _quoted(path: Path) -> str:
    """A path as the concat demuxer reads it: a quote within quotes is written outside them."""
    return "'file:" + str(path.absolute()).replace("'", "'\\''") + "'"


def download(name: str, sound: Path | None, late: float) -> list[str]:
    """ffmpeg's argv for an MP4 of LIST and the sound, whose picture begins `late` seconds after it."""
    inputs = ["-itsoffset", f"{late:.6f}", *PIECES, "-i", LIST]
    if sound is None:
        return _copied([*inputs, "-map", "0:v"], name, *DOWNLOAD)
    return _copied([*inputs, *OURS, "-i", ffmpeg.url(sound), "-map", "0:v", "-map", "1:a"], name, *DOWNLOAD)


def stream(name: str) -> list[str]:
    """ffmpeg's argv for a fragmented MP4 of LIST, a fragment for each GOP."""
    return _copied([*PIECES, "-i", LIST, "-map", "0:v"], name, *STREAM)


def streamed_sound(name: str, sound: Path, seconds: float) -> list[str]:
    """ffmpeg's argv for a fragmented MP4 of the sound, fragments of about that many seconds."""
    cut = ["-frag_duration", f"{round(seconds * 1e6)}"]
    return _copied([*OURS, "-i", ffmpeg.url(sound), "-map", "0:a"], name, *STREAMED_SOUND, *cut)


def _copied(inputs: list[str], name: str, *options: str) -> list[str]:
    dropped = ["-map_metadata", "-1", "-map_chapters", "-1", "-c", "copy"]
    scale = ["-video_track_timescale", str(TIME_SCALE), "-f", "mp4"]
    return ["ffmpeg", *ffmpeg.QUIET, "-y", *inputs, *dropped, *scale, *options, name]
