"""Where processes listen, read from /proc."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import sys
from pathlib import Path

LISTENS = "0A"


def addresses_of(ancestor: int) -> set[str]:
    """The addresses at which a process and its descendants listen for TCP connections; '::' and '0.0.0.0' are all interfaces."""
    own = {inode for pid in family(ancestor) for inode in sockets(pid)}
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            _, local, _, state, *rest = line.split()
            if state == LISTENS and rest[5] in own:
                found.add(address(local.split(":")[0]))
    return found


def family(ancestor: int) -> set[int]:
    """The ids of a process and its descendants."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
    found = {ancestor}
    while new := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= new
    return found


def sockets(pid: int) -> set[str]:
    """The inodes of a process's sockets."""
    found = set()
    for link in Path(f"/proc/{pid}/fd").glob("*"):
        with contextlib.suppress(OSError):
            found |= set(re.findall(r"^socket:\[(\d+)\]$", os.readlink(link)))
    return found


def address(hexadecimal: str) -> str:
    """'0100007F' -> '127.0.0.1': words of four bytes in the machine's order."""
    words = [bytes.fromhex(hexadecimal[start : start + 8]) for start in range(0, len(hexadecimal), 8)]
    found = ipaddress.ip_address(b"".join(word[::-1] if sys.byteorder == "little" else word for word in words))
    return str(getattr(found, "ipv4_mapped", None) or found)
