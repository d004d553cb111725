"""What it looks like when our own disk fails, by the system's numbers and words: nothing of it is the media's fault."""

import errno
import re

# Full, at its quota, read-only, broken, away (a network's, FUSE's, a pulled one); too many open files.
FAULTS = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS),
    *(errno.EIO, errno.EREMOTEIO, errno.ESTALE, errno.ETIMEDOUT, errno.ENOTCONN, errno.ENODEV, errno.ENXIO),
    *(errno.EMFILE, errno.ENFILE),
)
# The same as programs say it. EIO is not among them: ffmpeg says it of files that end too soon, too.
WORDS = re.compile(
    "No space left on device|Disk quota exceeded|Read-only file system"
    "|Remote I/O error|Stale file handle|Connection timed out|Transport endpoint is not connected"
    "|No such device|Too many open files"
    # But of what it writes, it says it of nothing else.
    r"|(?:av_interleaved_write_frame\(\)|Error writing trailer of [^\n]*): Input/output error"
)
# ffmpeg takes what it cannot read for the end of the file, says one of these, and ends well. Of a file that does end
# too soon it says the same.
UNREAD = re.compile("Input/output error|: partial file|File ended prematurely|Read error at pos")
