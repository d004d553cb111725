"""The rules of HLS that players trip over, checked on files: RFC 8216 by section, and Apple's where it is silent.

Reads the playlists anew and measures the files with ffprobe: nothing is taken from the code that wrote them.
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path

from films import seen

PROFILES = {"Constrained Baseline": "42", "Main": "4D", "High": "64"}


@dataclass(frozen=True)
class Media:
    """A media playlist as it was read: (seconds, start, end) of each segment of one file."""

    file: Path
    target: int
    header: int
    segments: tuple[tuple[float, int, int], ...]

    def rates(self):
        """Bits a second of each run of segments that §4.3.4.2 speaks of."""
        for first in range(len(self.segments)):
            bits, seconds = 0, 0.0
            for length, start, end in self.segments[first:]:
                bits, seconds = bits + 8 * (end - start), seconds + length
                if 0.5 * self.target <= seconds <= 1.5 * self.target:
                    yield bits / seconds

    @property
    def seconds(self):
        return sum(length for length, _, _ in self.segments)

    @property
    def average(self):
        return sum(8 * (end - start) for _, start, end in self.segments) / self.seconds

    @property
    def peak(self):
        return max([*self.rates(), self.average])


def check(master: Path) -> tuple[list[Media], Media | None]:
    """Hold a master playlist and all that it names to the rules; the variants and the sound."""
    lines = read(master)
    assert "#EXT-X-INDEPENDENT-SEGMENTS" in lines
    sounds = {}
    for tag in values(lines, "#EXT-X-MEDIA"):
        given = attributes(tag)
        assert {"TYPE", "GROUP-ID", "NAME"} <= set(given)  # §4.3.4.1
        sounds[given["GROUP-ID"]] = media(master.parent / bare(given["URI"]))
    variants = []
    for place, line in enumerate(lines):
        if line.startswith("#EXT-X-STREAM-INF:"):
            given = attributes(line.partition(":")[2])
            variant = media(master.parent / bare(lines[place + 1]))
            sound = sounds[given["AUDIO"]] if "AUDIO" in given else None
            variant_is_told_truly(given, variant, sound)
            variants.append(variant)
    assert variants
    widths = {tuple(round(length, 4) for length, _, _ in variant.segments) for variant in variants}
    assert len(widths) == 1  # Apple 6.1: segments of all variants begin together (§6.2.4)
    return variants, next(iter(sounds.values()), None)


def read(playlist: Path) -> list[str]:
    lines = playlist.read_text().splitlines()
    assert lines[0] == "#EXTM3U"  # §4.3.1.1
    assert [int(version) for version in values(lines, "#EXT-X-VERSION")] == [7]  # §7: EXT-X-MAP and all below
    return lines


def media(playlist: Path) -> Media:
    """Hold a media playlist to the rules."""
    lines = read(playlist)
    assert lines[-1] == "#EXT-X-ENDLIST"
    (target,) = (int(value) for value in values(lines, "#EXT-X-TARGETDURATION"))
    assert values(lines, "#EXT-X-MEDIA-SEQUENCE") == ["0"]
    first = next(place for place, line in enumerate(lines) if line.startswith("#EXTINF"))
    assert all(not line.startswith("#EXT-X-M") for line in lines[first:])  # §4.3.3: before the first segment
    (header,) = (attributes(value) for value in values(lines, "#EXT-X-MAP"))
    length, _, offset = header["BYTERANGE"].partition("@")
    assert offset == "0"
    file = playlist.parent / bare(header["URI"])
    found = [segment(lines[place : place + 3], file) for place, line in enumerate(lines) if line.startswith("#EXTINF")]
    assert all(seconds > 0 and math.floor(seconds + 0.5) <= target for seconds, _, _ in found)  # §4.3.3.1
    bytes_follow_one_another(file, int(length), found)
    return Media(file, target, int(length), tuple(found))


def segment(lines, file):
    seconds = float(re.fullmatch(r"#EXTINF:([\d.]+),", lines[0])[1])
    length, start = (int(number) for number in re.fullmatch(r"#EXT-X-BYTERANGE:(\d+)@(\d+)", lines[1]).groups())
    assert file.parent / bare(lines[2]) == file
    return seconds, start, start + length


def bytes_follow_one_another(file, header, found):
    data = file.read_bytes()
    assert (data[4:8], data.find(b"moov") > 0) == (b"ftyp", True)
    edges = [header, *(end for _, _, end in found)]
    assert [start for _, start, _ in found] == edges[:-1]
    assert edges[-1] <= len(data)
    assert all(data[start + 4 : start + 8] == b"moof" for _, start, _ in found)  # §3.3


def variant_is_told_truly(given, variant, sound):
    together = [variant, sound] if sound else [variant]
    assert sum(each.peak for each in together) <= int(given["BANDWIDTH"]) <= 1.01 * sum(e.peak for e in together) + 2
    average = sum(each.average for each in together)
    assert abs(int(given["AVERAGE-BANDWIDTH"]) - average) <= 2 + average / 1000  # EXTINF has whole microseconds
    picture = stream(variant.file)
    codecs = given["CODECS"].split(",")
    assert re.fullmatch(rf"avc1\.{PROFILES[picture['profile']]}[0-9A-F]{{2}}{picture['level']:02X}", codecs[0])
    assert codecs[1:] == (["mp4a.40.2"] if sound else [])
    if sound:
        assert stream(sound.file)["profile"] == "LC"
    assert given["RESOLUTION"] == f"{picture['width']}x{picture['height']}"
    assert float(given["FRAME-RATE"]) >= 0.99 * int(picture["nb_read_packets"]) / variant.seconds
    keys = keyframes(variant.file)
    starts = [sum(length for length, _, _ in variant.segments[:place]) for place in range(len(variant.segments))]
    assert all(min(abs(start + keys[0] - key) for key in keys) < 0.001 for start in starts)


def stream(file):
    (found,) = seen(file, "-show_streams", "-count_packets")["streams"]
    return found


def keyframes(file):
    packets = seen(file, "-show_entries", "packet=pts_time,flags")["packets"]
    return sorted(float(packet["pts_time"]) for packet in packets if "K" in packet["flags"])


def values(lines, tag):
    return [line.partition(":")[2] for line in lines if line.partition(":")[0] == tag]


def attributes(text):
    return {name: value.strip('"') for name, value in re.findall(r'([A-Z0-9-]+)=("[^"]*"|[^,]*)', text)}


def bare(name):
    """A name without a folder: the view that serves playlists signs each by itself."""
    assert re.fullmatch(r"[a-z0-9]+\.(m3u8|mp4)", name)
    return name
