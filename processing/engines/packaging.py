"""Pieces joined by copying: a file to download for each size, and HLS over all of them."""

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from processing import presets
from processing.engines import audio, child, disk, ffmpeg, fragments, hls, index, joining, ladder, probe
from processing.engines.hls import Rendition
from processing.errors import Corrupt, MediaError
from processing.facts import Facts, Made, Order, Product
from processing.presets import Playlist, Rung

# Copying 17 GB of a 6 h video and moving it once more for fast start are 340 s at 100 MB/s.
BOUNDS = child.Bounds(seconds=3600, stall=3600, memory=1536 * child.MIB)
PLAYLIST_TYPE, VIDEO_TYPE, SOUND_TYPE = Playlist.content_type, Rung.content_type, presets.Sound.content_type


class JoinFailed(Exception):
    """What was joined is not what there was to join: ours, as the pieces were looked at before."""


STREAMED = ("h264",)  # what every player of HLS decodes; others are for download


@dataclass(frozen=True)
class Film:
    """The pieces of one rung on one clock; `late` is when its picture begins, in seconds of the film."""

    rung: Rung
    joints: tuple[joining.Joint, ...]
    frames: int
    width: int
    height: int
    late: float


def package(order: Order) -> Product:
    """Each rung of the order as an MP4 with its sound, and the playlists over all rungs there are pieces of.

    Raises Corrupt where more of the film is missing than it may lack.
    """
    facts = order.facts
    if facts is None:
        raise TypeError("packages are made of an inspected video")
    rungs = {rung.name: rung for rung in (*presets.LADDER, *order.presets) if isinstance(rung, Rung)}
    films = [gather(rung, order.pieces[name], facts, order) for name, rung in rungs.items() if name in order.pieces]
    sound = next(filter(audio.has_sound, order.pieces.get(audio.NAME, ())), None)
    for number, film in enumerate(films):
        join(film, sound, order)
        order.report((number + 1) / (len(films) + 1))
    files: list[Made] = []
    for preset in order.presets:
        if isinstance(preset, Playlist):
            files += stream(preset, [film for film in films if film.rung.codec in STREAMED], sound, order)
        else:
            film = next(film for film in films if film.rung.name == preset.name)
            files.append(download(film, order, facts))
    order.report(1)
    return Product(files=tuple(files))


def gather(rung: Rung, pieces: Sequence[Path], facts: Facts, order: Order) -> Film:
    """The pieces of a rung, each at its place in the film."""
    joints, frames = [], 0
    for piece in pieces:
        with ours(piece.name):
            found = index.read(piece)
        start = float(found.comment.split()[0])
        # A part whose first frames could not be decoded begins later than it was meant to.
        joints.append(joining.Joint(piece, start + found.first))
        frames += found.frames
        order.report(0)
    late = max(0.0, joints[0].begins - facts.start)
    return Film(rung, tuple(joints), frames, found.width, found.height, late)


def join(film: Film, sound: Path | None, order: Order) -> None:
    """What the order wants of a rung, in files that nobody has looked at yet."""
    listed = order.folder / f"{film.rung.name}.txt"
    copies = []
    if film.rung in order.presets:
        copies.append(joining.download(ffmpeg.file_name(film.rung), listed.name, sound, film.late))
    if film.rung.codec in STREAMED and any(isinstance(preset, Playlist) for preset in order.presets):
        copies.append(joining.stream(streamed_name(film.rung), listed.name))
    if copies:
        listed.write_text(joining.piece_list(film.joints))
        try:
            run(joining.argv(copies), order)
        finally:
            listed.unlink()


def streamed_name(rung: Rung) -> str:
    return f"{rung.short_side}.mp4"


def download(film: Film, order: Order, facts: Facts) -> Made:
    """The MP4 of a rung, looked at before it is promised to anyone."""
    rung, name = film.rung, ffmpeg.file_name(film.rung)
    path = order.folder / name
    with ours(name):
        reel = probe.reel(path)
    must_be_equal(film.frames, reel.frames, name)
    missing = (facts.duration or 0) - reel.duration
    if missing > max(ladder.ROUNDING, ladder.CLOSE_ENOUGH * (facts.duration or 0)):
        raise Corrupt(reason=f"the last {missing:.1f} seconds are missing")
    return Made(rung.name, rung.version, path, rung.content_type, reel.width, reel.height, reel.duration)


def stream(preset: Playlist, films: Sequence[Film], sound: Path | None, order: Order) -> list[Made]:
    """The master playlist, and beside it a playlist and a file for each size and for the sound."""
    pictures = [streamed(film, order) for film in films]
    heard = streamed_sound(sound, order) if sound else None
    largest = films[-1]
    path = order.folder / f"{preset.name}.{preset.extension}"
    path.write_text(hls.master(pictures, heard))
    duration = max(ends(rendition) for rendition in (*pictures, *filter(None, [heard])))
    made = [Made(preset.name, preset.version, path, PLAYLIST_TYPE, largest.width, largest.height, duration)]
    for rendition in (*pictures, *filter(None, [heard])):
        kind = VIDEO_TYPE if rendition.track.width else SOUND_TYPE
        playlist = order.folder / rendition.playlist
        playlist.write_text(hls.media(rendition))
        for name, content_type in ((rendition.playlist, PLAYLIST_TYPE), (rendition.file, kind)):
            size = rendition.track.width, rendition.track.height
            made.append(
                Made(preset.name, preset.version, order.folder / name, content_type, *size, ends(rendition), name)
            )
    return made


def ends(rendition: Rendition) -> float:
    """When a rendition is over, in seconds."""
    return max(fragment.ends for fragment in rendition.track.fragments)


def streamed(film: Film, order: Order) -> Rendition:
    """The picture of a rung in fragments; no frame fewer or more than the pieces have."""
    name = streamed_name(film.rung)
    path = order.folder / name
    if film.late:
        fragments.delay(path, film.late)
    track = fragments.read(path)
    must_be_equal(film.frames, sum(fragment.frames for fragment in track.fragments), name)
    return Rendition(name, f"{film.rung.short_side}.m3u8", track, tuple(hls.by_clock(track.fragments)))


def streamed_sound(sound: Path, order: Order) -> Rendition:
    """The sound in fragments."""
    name = f"{audio.NAME}.mp4"
    run(joining.argv([joining.streamed_sound(name, sound, hls.SEGMENT)]), order)
    track = fragments.read(order.folder / name)
    return Rendition(name, f"{audio.NAME}.m3u8", track, tuple(hls.each(track.fragments)))


def run(argv: list[str], order: Order) -> None:
    """Run ffmpeg on files of ours: whatever it says against them is our fault."""
    said = child.run(argv, BOUNDS, folder=order.folder, on_tick=lambda: order.report(0))
    if disk.UNREAD.search(said):
        raise OSError(errno.EIO, said)


@contextmanager
def ours(name: str) -> Iterator[None]:
    """What is wrong with a file of ours is no fault of the media."""
    try:
        yield
    except MediaError as error:
        raise JoinFailed(f"{name}: {error}") from error


def must_be_equal(pieces: int, joined: int, name: str) -> None:
    """Hold that joining lost and doubled nothing."""
    if pieces != joined:
        raise JoinFailed(f"{name} has {joined} frames, its pieces have {pieces}")
