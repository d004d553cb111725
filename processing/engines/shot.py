"""What the EXIF of a picture says of its taking, before all of it is dropped."""

from PIL import ExifTags, Image, ImageFile

from processing.engines import capture
from processing.engines.decoder import decoding
from processing.errors import MediaError
from processing.facts import Limits


def taken_of(image: ImageFile.ImageFile, limits: Limits) -> str:
    """`Facts.taken` of a picture whose `orientation_of` was asked for; empty where it says nothing, or nonsense."""
    try:
        with decoding(limits):
            # Not `image.getexif()`: that of PNG decodes all pixels first.
            shot = Image.Image.getexif(image).get_ifd(ExifTags.IFD.Exif)
    except MediaError:
        return ""
    said = (shot.get(tag) for tag in (ExifTags.Base.DateTimeOriginal, ExifTags.Base.DateTimeDigitized))
    return next(filter(None, (capture.of_exif(str(text)) for text in said)), "")
