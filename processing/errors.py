"""What can be wrong with media, and the sentence an editor reads about it.

MediaError                 theirs: final, retrying will not help
├─ Empty                   empty
├─ TooLarge                too_large
├─ QuotaExceeded           quota_exceeded
├─ UnsupportedType         unsupported_type
├─ Corrupt                 corrupt
├─ TooManyPixels           too_many_pixels
├─ TooManyFrames           too_many_frames
├─ TooLong                 too_long
├─ NoVideo                 no_video
├─ TooManyStreams          too_many_streams
└─ ResourceLimit           resource_limit

Everything else that is raised is ours: retried, counted, then given up as `internal`.
Codes are stable. Sentences are written once, here, in English; pages translate them by gettext.
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class MediaError(Exception):
    """The media itself is at fault; trying again will not help.

    `details` fill the sentence and reach API clients as they are (numbers, short strings).
    """

    code: ClassVar[str]
    sentence: ClassVar[str]

    def __init__(self, **details: str | float) -> None:
        self.details = details
        super().__init__(self.sentence % details)


class Empty(MediaError):
    code = "empty"
    sentence = "The file is empty. Choose it again; if it stays empty, it was not saved properly."


class TooLarge(MediaError):
    code = "too_large"
    sentence = "The file has more than the %(allowed)s bytes allowed here. Make it smaller, or upload it in pieces."


class QuotaExceeded(MediaError):
    code = "quota_exceeded"
    sentence = "There is no room for this file: %(free)s of your %(allowed)s bytes are free. Delete something first."


class UnsupportedType(MediaError):
    code = "unsupported_type"
    sentence = "This is not an image or video of a kind we can read. Export it as JPEG, PNG or MP4 and upload that."


class Corrupt(MediaError):
    code = "corrupt"
    sentence = "The file is damaged and cannot be read (%(reason)s). Upload a fresh copy."


class TooManyPixels(MediaError):
    code = "too_many_pixels"
    sentence = "The picture has %(found)s megapixels; %(allowed)s are allowed. Upload a smaller version."


class TooManyFrames(MediaError):
    code = "too_many_frames"
    sentence = "The animation has %(found)s frames; %(allowed)s are allowed. Upload it as a video."


class TooLong(MediaError):
    code = "too_long"
    sentence = "The video runs for %(found)s seconds; %(allowed)s are allowed. Cut it and upload the pieces."


class NoVideo(MediaError):
    code = "no_video"
    sentence = "There is sound in this file but no picture. Only images and videos can be uploaded."


class TooManyStreams(MediaError):
    code = "too_many_streams"
    sentence = "The file has %(found)s streams; %(allowed)s are allowed. Export it with one picture and one sound."


class ResourceLimit(MediaError):
    code = "resource_limit"
    sentence = "Reading this file took more than the %(allowed)s allowed. Export it again in a common format."


class Drawing(UnsupportedType):
    """An SVG. It is a program for a browser, which may load and run what it likes, and no picture."""

    sentence = (
        "This is an SVG drawing, which can hold programs, and is not taken. Export it as PNG, at least 2048 pixels "
        "wide, and upload that."
    )

    def __init__(self) -> None:
        super().__init__(format="SVG")


SENTENCES: Mapping[str, str] = {
    **{error.code: error.sentence for error in MediaError.__subclasses__()},
    "canceled": "The processing was canceled. Retry it to go on.",
    "internal": "Something went wrong on our side, again and again (%(reason)s). Retry it, or tell your administrator.",
}

# Where a detail tells more than the code does: (code, its `format`).
CLOSER: Mapping[tuple[str, str], str] = {("unsupported_type", "SVG"): Drawing.sentence}


def sentence_for(code: str, details: Mapping[str, Any]) -> str:
    """The sentence about an error of that code with those details, which are not filled in yet."""
    return CLOSER.get((code, str(details.get("format"))), SENTENCES[code])
