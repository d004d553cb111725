"""The fence around one process that reads untrusted bytes. Entered once, never left.

The kernel's own means and no library: limits, Landlock for files, seccomp for everything else. What a
kernel lacks is named by `missing`, and the rest still holds.
"""

import ctypes
import errno
import os
import platform
import resource
import signal
import struct
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MIB = 1 << 20


@dataclass(frozen=True)
class Bounds:
    """What one job may use: seconds of CPU, seconds without a sign of life, bytes of each kind.

    CPU, because it is the same on a busy machine. The clock only ends what waits for ever. 2 GiB of
    addresses is what every good image of the corpus fits in, with our own 100 MP.
    """

    cpu: int = 60
    stall: float = 300
    memory: int = 2048 * MIB
    file_size: int = 256 * MIB


PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 22, 38
SECCOMP_MODE_FILTER = 2

# Landlock's calls have the same numbers on all machines (include/uapi/linux/landlock.h).
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, REMOVE_DIR, REMOVE_FILE = (1 << bit for bit in range(6))
MAKE_DIR, MAKE_REG, REFER, TRUNCATE, IOCTL_DEV = 1 << 7, 1 << 8, 1 << 13, 1 << 14, 1 << 15
FIRST_RIGHTS = (1 << 13) - 1  # all of the first version; later ones added one each
RIGHTS_OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
READING = EXECUTE | READ_FILE | READ_DIR
WRITING = READ_FILE | READ_DIR | WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | REFER | TRUNCATE

# What Python and the decoders may still load or ask for. Not /proc: there our other processes would show.
LIBRARIES = (
    f"{sys.prefix}/lib",
    f"{sys.base_prefix}/lib",
    str(Path(__file__).parents[1]),
    "/usr/lib",
    "/usr/local/lib",
    "/lib",
    "/lib64",
    "/etc/ld.so.cache",
    "/dev/null",
    "/dev/urandom",
    "/sys/devices/system/cpu",
)


@dataclass(frozen=True)
class Machine:
    """A kind of processor: the kernel's number for it, and for its system calls."""

    audit: int
    refused: tuple[int, ...]
    clone: int
    tgkill: int


CLONE3 = 435
CLONE_THREAD = 0x10000
X32 = 0x40000000  # calls of x86's third numbering, which would pass by a list of the second's

# io_uring_setup, pidfd_send_signal, pidfd_open, pidfd_getfd, fchmodat2
SAME_EVERYWHERE = (425, 424, 434, 438, 452)
# tests/processing/engines/test_fence.py holds both tables against the kernel's own headers.
# One row a group: sockets · programs, forks · signals, groups · modes, owners, times and attributes,
# which Landlock leaves free · other processes · namespaces, mounts · keys, perf, bpf, userfaultfd.
X86_64 = (
    *(41, 42, 49, 50, 53),
    *(57, 58, 59, 322),
    *(62, 109, 112, 129, 200, 297),
    *(90, 91, 92, 93, 94, 132, 188, 189, 190, 197, 198, 199, 235, 260, 261, 268, 280),
    *(101, 310, 311),
    *(165, 272, 308),
    *(248, 249, 250, 298, 321, 323),
)
ARM_64 = (
    *(198, 199, 200, 201, 203),
    *(221, 281),
    *(129, 130, 138, 154, 157, 240),
    *(5, 6, 7, 14, 15, 16, 52, 53, 54, 55, 88),
    *(117, 270, 271),
    *(40, 97, 268),
    *(217, 218, 219, 241, 280, 282),
)
MACHINES = {
    "x86_64": Machine(0xC000003E, (*X86_64, *SAME_EVERYWHERE), clone=56, tgkill=234),
    "aarch64": Machine(0xC00000B7, (*ARM_64, *SAME_EVERYWHERE), clone=220, tgkill=131),
}

libc = ctypes.CDLL(None, use_errno=True)


def enter(bounds: Bounds, source: Path, folder: Path) -> None:
    """From here on this process reads `source`, writes below `folder`, and computes; nothing else.

    It starts no program and no other process, opens no socket, signals nobody. It dies with the
    process that forked it, and of too much CPU or too long a file.
    """
    limit(bounds)
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    if landlock_version():
        confine([*LIBRARIES, source], [folder])
    if has_seccomp():
        refuse_calls(MACHINES[platform.machine()])


def missing() -> list[str]:
    """The walls that this machine's kernel cannot put up."""
    walls = {"Landlock (files)": landlock_version() > 0, "seccomp (network, programs)": has_seccomp()}
    return [wall for wall, stands in walls.items() if not stands]


def limit(bounds: Bounds) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (bounds.memory, bounds.memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (bounds.file_size, bounds.file_size))
    resource.setrlimit(resource.RLIMIT_CPU, (bounds.cpu, bounds.cpu + 1))  # SIGXCPU, and SIGKILL if that is ignored
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it, and the write would look like our fault
    with suppress(OSError):  # no /proc: then the kernel chooses by size alone, and most likely this one
        Path("/proc/self/oom_score_adj").write_text("1000")


def landlock_version() -> int:
    """The version of Landlock in this kernel; 0 where there is none, or where it is forbidden."""
    return max(0, int(libc.syscall(CREATE_RULESET, None, 0, 1)))


def confine(readable: Iterable[str | Path], writable: Iterable[str | Path]) -> None:
    """Let this process open only these files, and what is below these folders."""
    version = landlock_version()
    handled = FIRST_RIGHTS | (REFER if version >= 2 else 0) | (TRUNCATE if version >= 3 else 0)
    handled |= IOCTL_DEV if version >= 5 else 0
    # From version 4 on it knows TCP, from 6 on signals and abstract sockets. The call of seccomp that
    # we forgot is then still closed.
    fields = [handled, *([3] if version >= 4 else []), *([3] if version >= 6 else [])]
    attributes = struct.pack(f"{len(fields)}Q", *fields)
    ruleset = call(CREATE_RULESET, attributes, len(attributes), 0)
    for rights, paths in ((READING, readable), (WRITING, writable)):
        for path in paths:
            allow(ruleset, path, rights & handled)
    call(RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def allow(ruleset: int, path: str | Path, rights: int) -> None:
    with suppress(FileNotFoundError):  # not every machine has each folder of libraries
        handle = os.open(path, os.O_PATH)
        try:
            own = rights if Path(path).is_dir() else rights & RIGHTS_OF_FILES
            call(ADD_RULE, ruleset, 1, struct.pack("=Qi", own, handle), 0)
        finally:
            os.close(handle)


def has_seccomp() -> bool:
    """Whether filters are known: a missing one is then an address that cannot be read."""
    known = libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, None, 0, 0) == -1 and ctypes.get_errno() == errno.EFAULT
    return known and platform.machine() in MACHINES


def refuse_calls(machine: Machine) -> None:
    """Answer every call outside a decoder's needs with "not permitted"."""
    program = b"".join(filter_of(machine, os.getpid()))
    buffer = ctypes.create_string_buffer(program, len(program))
    prctl(PR_SET_SECCOMP, struct.pack("HP", len(program) // 8, ctypes.addressof(buffer)))


def filter_of(machine: Machine, pid: int) -> Iterator[bytes]:
    """The filter in the kernel's classic BPF, eight bytes an instruction (linux/filter.h)."""
    load, equal, at_least, any_bit, give = 0x20, 0x15, 0x35, 0x45, 0x06
    number, arch, argument = 0, 4, 16  # where struct seccomp_data holds them
    pass_on, kill = 0x7FFF0000, 0x80000000
    refuse, unknown = 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS

    def step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
        return struct.pack("HBBI", code, if_true, if_false, value)

    yield from (step(load, arch), step(equal, machine.audit, 1), step(give, kill))
    yield from (step(load, number), step(at_least, X32, 0, 1), step(give, refuse))
    for call_number in machine.refused:
        yield from (step(equal, call_number, 0, 1), step(give, refuse))
    # clone3 hides its flags from us; told that it is unknown, the C library takes clone.
    yield from (step(equal, CLONE3, 0, 1), step(give, unknown))
    yield from (step(equal, machine.clone, 0, 4), step(load, argument))
    yield from (step(any_bit, CLONE_THREAD, 0, 1), step(give, pass_on), step(give, refuse))
    # abort() sends its signal by this one.
    yield from (step(equal, machine.tgkill, 0, 4), step(load, argument))
    yield from (step(equal, pid, 0, 1), step(give, pass_on), step(give, refuse))
    yield step(give, pass_on)


def prctl(option: int, argument: int | bytes) -> None:
    if isinstance(argument, bytes):
        done = libc.prctl(option, SECCOMP_MODE_FILTER, argument, 0, 0)
    else:
        done = libc.prctl(option, ctypes.c_ulong(argument), 0, 0, 0)
    check(done)


def call(number: int, *arguments: int | bytes) -> int:
    return check(libc.syscall(number, *arguments))


def check(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"the fence cannot be put up: {os.strerror(code)}")
    return result
