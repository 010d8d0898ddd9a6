# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames like captured ones, with another UDP payload."""
import struct

ETHERNET = 14


def ones_sum(data, total=0):
    """The Internet's sum (RFC 1071), folded."""
    data += bytes(len(data) % 2)
    total += sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total


def with_payload(frame, payload):
    """The frame with this payload, and lengths and checksums that are right:
    a captured one may have left its own to a network card."""
    ip = bytearray(frame[ETHERNET:ETHERNET + 40])
    length = 8 + len(payload)
    if frame[12:14] == b"\x86\xdd":
        struct.pack_into("!H", ip, 4, length)
        ports = frame[ETHERNET + 40:ETHERNET + 44]
        udp = ports + struct.pack("!HH", length, 0) + payload
        total = ones_sum(bytes(ip[8:40]) + struct.pack("!II", length, 17))
        udp = ports + struct.pack(
            "!HH", length, ~ones_sum(udp, total) & 0xffff or 0xffff) + payload
        return frame[:ETHERNET] + bytes(ip) + udp
    del ip[20:]
    struct.pack_into("!H", ip, 2, 20 + length)
    struct.pack_into("!H", ip, 10, 0)
    struct.pack_into("!H", ip, 10, ~ones_sum(bytes(ip)) & 0xffff)
    # IPv4 allows none for UDP (RFC 768), which spares the time
    return frame[:ETHERNET] + bytes(ip) + frame[34:38] + \
        struct.pack("!HH", length, 0) + payload
