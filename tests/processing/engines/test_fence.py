"""The fence's tables against the kernel's own headers: no machine of ours has an ARM processor to try them on."""

import re
from pathlib import Path

import pytest

from processing.engines import fence

# linux-libc-dev has both on every machine: asm-generic is what aarch64 uses (arch/arm64/include/uapi/asm/unistd.h).
HEADERS = {
    "aarch64": ["/usr/include/asm-generic/unistd.h"],
    "x86_64": ["/usr/include/x86_64-linux-gnu/asm/unistd_64.h"],
}
SINCE_6_6 = {452: "fchmodat2"}  # newer than the headers of Debian 12

REFUSED = """
    socket connect bind listen socketpair  execve execveat
    kill tkill rt_sigqueueinfo rt_tgsigqueueinfo setpgid setsid
    fchmod fchmodat fchmodat2 fchown fchownat utimensat
    setxattr lsetxattr fsetxattr removexattr lremovexattr fremovexattr
    ptrace process_vm_readv process_vm_writev pidfd_open pidfd_getfd pidfd_send_signal
    mount unshare setns  add_key request_key keyctl  perf_event_open bpf userfaultfd io_uring_setup
"""
# Calls that ARM never had: their successors, which it has, are in the list above.
OLD = "fork vfork chmod chown lchown utime utimes futimesat"


def numbers(machine):
    """{number: name} of the machine's system calls."""
    headers = [Path(header) for header in HEADERS[machine]]
    if not all(header.exists() for header in headers):
        pytest.skip("linux-libc-dev is not installed")
    found = [re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", header.read_text()) for header in headers]
    return SINCE_6_6 | {int(number): name for pairs in found for name, number in pairs}


@pytest.mark.parametrize(("machine", "refused"), [("aarch64", REFUSED), ("x86_64", f"{REFUSED} {OLD}")])
def test_machines__each_number_is_the_call_it_is_meant_to_be(machine, refused):
    names = numbers(machine)
    table = fence.MACHINES[machine]
    assert sorted(names[number] for number in table.refused) == sorted(refused.split())
    assert (names[table.clone], names[table.tgkill], names[fence.CLONE3]) == ("clone", "tgkill", "clone3")
    landlock = [names[number] for number in (fence.CREATE_RULESET, fence.ADD_RULE, fence.RESTRICT_SELF)]
    assert landlock == ["landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"]


@pytest.mark.parametrize(("machine", "name"), [("aarch64", "AARCH64"), ("x86_64", "X86_64")])
def test_machines__known_to_the_kernel_by_this_number(machine, name):
    header = Path("/usr/include/linux/elf-em.h")
    if not header.exists():
        pytest.skip("linux-libc-dev is not installed")
    number = int(re.search(rf"#define EM_{name}\s+(\d+)", header.read_text())[1])
    assert fence.MACHINES[machine].audit == number | 0x80000000 | 0x40000000  # 64 bits, little endian (linux/audit.h)
