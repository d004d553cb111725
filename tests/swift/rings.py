"""Write the three rings, which tell Swift where things lie: `python rings.py FOLDER ACCOUNT CONTAINER OBJECT`.

The last three are the servers' ports. Swift's own Python runs this; its swift-ring-builder takes nine starts.
"""

import sys

from swift.common.ring import RingBuilder


def write(path: str, port: int) -> None:
    """One disk on this machine, one copy of everything on it."""
    builder = RingBuilder(part_power=1, replicas=1, min_part_hours=1)
    place = {"ip": "127.0.0.1", "port": port, "replication_ip": "127.0.0.1", "replication_port": port}
    builder.add_dev({"id": 0, "region": 1, "zone": 1, "weight": 1, "device": "disk", **place})
    builder.rebalance()
    builder.get_ring().save(path)


if __name__ == "__main__":
    folder, *ports = sys.argv[1:]
    for kind, port in zip(("account", "container", "object"), ports, strict=True):
        write(f"{folder}/{kind}.ring.gz", int(port))
