"""What the kernel counts."""

from contextlib import suppress
from pathlib import Path

VMSTAT = Path("/proc/vmstat")


def killings() -> int:
    """How often it has killed a process for want of memory; 0 where it does not say."""
    with suppress(OSError):
        for line in VMSTAT.read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0
