#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A second implementation of dataplane/wire/PROTOCOL.md, sections 1 to 5, 7
and 8, written from that text alone and never from the C.

    tests/vectors/make_vectors.py [DIR]

writes kdf.json, aead.json, cell.json, layer.json and create.json into DIR
(the directory of this file).  Everything is drawn from fixed seeds, so the
same text gives the same bytes.  The C unit tests must agree with each byte.

It stands on python3-cryptography and hashlib: other code than libsodium's
and ipsec-mb's."""
import hashlib
import json
import os
import struct
import sys

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import (
    X25519PrivateKey, X25519PublicKey)
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import (
    AESGCM, ChaCha20Poly1305)
from cryptography.hazmat.primitives.serialization import (
    Encoding, PublicFormat)

# ---- section 1: primitives ------------------------------------------------


def blake2b(data, size, key=b"", salt=b"", person=b""):
    return hashlib.blake2b(data, digest_size=size, key=key, salt=salt,
                           person=person).digest()


def hash_input(label, parts):
    out = struct.pack(">B", len(label)) + label.encode("ascii")
    for x in parts:
        out += struct.pack(">H", len(x)) + x
    return out


def HASH(label, *parts):
    return blake2b(hash_input(label, parts), 32)


def HASH64(label, *parts):
    return blake2b(hash_input(label, parts), 64)


def EXTRACT(h, ikm):
    return blake2b(ikm, 32, key=h)


def KEY(prk, ctx, ident, n):
    """crypto_kdf: BLAKE2b, no message; the subkey id is the salt and the
    context the personalisation, both filled up with zeros to 16 bytes."""
    return blake2b(b"", n, key=prk, salt=struct.pack("<Q", ident) + bytes(8),
                   person=ctx.encode("ascii") + bytes(8))


def DH(secret, point):
    return X25519PrivateKey.from_private_bytes(secret).exchange(
        X25519PublicKey.from_public_bytes(point))


def public_of(secret):
    return X25519PrivateKey.from_private_bytes(secret).public_key() \
        .public_bytes(Encoding.Raw, PublicFormat.Raw)


def SEAL(k, ad, p):
    return ChaCha20Poly1305(k).encrypt(bytes(12), p, ad)


def OPEN(k, ad, c):
    return ChaCha20Poly1305(k).decrypt(bytes(12), c, ad)


def STREAM(k, n):
    """Counter (4, little-endian, 0) and the nonce of RFC 8439."""
    return Cipher(algorithms.ChaCha20(k, bytes(16)), None).encryptor() \
        .update(bytes(n))


def xor(a, b):
    assert len(a) == len(b)
    return bytes(x ^ y for x, y in zip(a, b))


# ---- sections 2 and 3: cells and layers ------------------------------------


def aes_block(key, block):
    e = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return e.update(block) + e.finalize()


def protect(key, cell):
    return cell[:4] + aes_block(key, cell[4:20]) + cell[20:]


def H8(counter, kind, length):
    return counter.to_bytes(6, "big") + struct.pack(">H", kind << 12 | length)


def nonce(iv, counter):
    return iv[:6] + xor(iv[6:12], counter.to_bytes(6, "big"))


def aead_of(suite, key):
    return {1: AESGCM, 2: ChaCha20Poly1305}[suite](key)


def seal_layer(suite, key, iv, counter, kind, plain):
    """Returns H8 || C."""
    h8 = H8(counter, kind, len(plain) + 16)
    return h8 + aead_of(suite, key).encrypt(nonce(iv, counter), plain, h8)


def open_layer(suite, key, iv, h8c):
    h8 = h8c[:8]
    counter = int.from_bytes(h8[:6], "big")
    length = struct.unpack(">H", h8[6:])[0] & 0xfff
    return aead_of(suite, key).decrypt(nonce(iv, counter),
                                       h8c[8:8 + length], h8)


class Hop:
    """One hop's circuit keys, both directions."""

    def __init__(self, suite, k_f, k_b, iv_f, iv_b, start_f, start_b):
        self.suite = suite
        self.k_f, self.k_b = k_f, k_b
        self.iv_f, self.iv_b = iv_f, iv_b
        self.start_f, self.start_b = start_f, start_b

    def forward_seal(self, offset, kind, plain):
        return seal_layer(self.suite, self.k_f, self.iv_f,
                          self.start_f + offset, kind, plain)

    def forward_open(self, h8c):
        return open_layer(self.suite, self.k_f, self.iv_f, h8c)

    def backward_seal(self, offset, kind, plain):
        return seal_layer(self.suite, self.k_b, self.iv_b,
                          self.start_b + offset, kind, plain)

    def backward_open(self, h8c):
        return open_layer(self.suite, self.k_b, self.iv_b, h8c)

    def shown(self):
        return {"suite": self.suite, "k_f": self.k_f.hex(),
                "k_b": self.k_b.hex(), "iv_f": self.iv_f.hex(),
                "iv_b": self.iv_b.hex(), "start_f": self.start_f,
                "start_b": self.start_b}


# ---- section 4: starts -----------------------------------------------------


def start_of(prk, ctx, ident):
    first = int.from_bytes(KEY(prk, ctx, ident, 16)[:6], "big")
    return first & 0x3fffffffffff


# ---- section 7: CREATE -----------------------------------------------------


def kid_of(onion_public):
    return blake2b(onion_public, 32)[:4]


class Part1:
    def __init__(self, node_id, onion_public, e_public, ss1):
        self.h1 = HASH("vx6/1 create", b"\x01", node_id, onion_public,
                       e_public)
        k1 = EXTRACT(self.h1, ss1)
        self.ks = KEY(k1, "VX6creat", 1, 32)
        self.kr = KEY(k1, "VX6creat", 2, 32)


def slot_text(hop, nxt, early_len):
    """80 bytes.  nxt is the next hop, None at the terminal."""
    text = struct.pack(">BBBBHHIHH", 1, hop["role"], hop["suite"], 0,
                       hop["cell_size"], hop["lifetime"], hop["expires"],
                       early_len, 0)
    text += (nxt["node_id"] if nxt else bytes(32))
    text += (kid_of(nxt["onion_public"]) if nxt else bytes(4))
    return text + bytes(28)


def build_onion(hops, e_secrets, filler, early):
    """Returns the onion for the first hop and [(Part1, sealed)]."""
    n = len(hops)
    e_pub = [public_of(e) for e in e_secrets]
    part = [Part1(h["node_id"], h["onion_public"], pub,
                  DH(e, h["onion_public"]))
            for h, e, pub in zip(hops, e_secrets, e_pub)]
    s = [STREAM(p.kr, 1536) for p in part]

    phi = b""
    for i in range(1, n):
        phi = xor(phi + bytes(128), s[i - 1][(8 - i) * 128:1024])

    behind = filler[:(8 - n) * 128] + phi + xor(
        early + bytes(512 - len(early)), s[n - 1][1024:1536])
    sealed = [b""] * n
    onion = b""
    for i in range(n, 0, -1):
        if i < n:
            t = xor(onion, s[i - 1])
            assert t[896:1024] == bytes(128)
            behind = t[:896] + t[1024:]
        last = i == n
        text = slot_text(hops[i - 1], None if last else hops[i],
                         len(early) if last else 0)
        sealed[i - 1] = SEAL(part[i - 1].ks, behind, text)
        onion = e_pub[i - 1] + sealed[i - 1] + behind
        assert len(onion) == 1536
    return onion, part, sealed


def relay_onion(hop, onion):
    """What a hop does: (slot text, next onion)."""
    p = Part1(hop["node_id"], hop["onion_public"], onion[:32],
              DH(hop["onion_secret"], onion[:32]))
    text = OPEN(p.ks, onion[128:], onion[32:128])
    shifted = onion[128:1024] + bytes(128) + onion[1024:]
    return text, xor(shifted, STREAM(p.kr, 1536))


# ---- section 8: CREATED ----------------------------------------------------


class Part2:
    def __init__(self, h1, sealed, y_public, ss1, ss2):
        h2 = HASH("vx6/1 created", h1, sealed, y_public)
        k2 = EXTRACT(h2, ss1 + ss2)

        def key(i, n):
            return KEY(k2, "VX6circ1", i, n)
        self.k_f, self.k_b = key(1, 32), key(2, 32)
        self.iv_f, self.iv_b = key(3, 16), key(4, 16)
        self.start_f = start_of(k2, "VX6circ1", 5)
        self.start_b = start_of(k2, "VX6circ1", 6)
        self.kc, self.kb = key(7, 32), key(8, 32)


def status_text(code, suite, u, lifetime_s):
    return struct.pack(">BBHI", code, suite, u, lifetime_s) + bytes(8)


def reply_at(part2, y_public, text, behind, tail):
    slot = y_public + SEAL(part2.kc, b"", text)
    if behind is None:
        return slot + tail
    return slot + xor(behind[:448], STREAM(part2.kb, 448))


# ---- the vectors -----------------------------------------------------------


class Seed:
    """Bytes that depend on nothing but their name."""

    def __init__(self, name):
        self.name = name
        self.n = 0

    def take(self, size):
        self.n += 1
        return hashlib.shake_256(
            f"vx6 vectors {self.name} {self.n}".encode()).digest(size)

    def below(self, n):
        return int.from_bytes(self.take(8), "big") % n


def kdf_vectors():
    r = Seed("kdf")
    hashes, extracts, keys, seals, streams, ids, dhs = ([] for _ in range(7))
    for label, sizes in [("vx6/1 test", [2, 0]), ("vx6/1 none", []),
                         ("x", [0, 0, 0]), ("vx6/1 long", [4097]),
                         ("vx6/1 create", [1, 32, 32, 32]),
                         ("l" * 255, [127, 128, 129])]:
        parts = [b"ab", b""] if label == "vx6/1 test" \
            else [r.take(n) for n in sizes]
        hashes.append({"label": label, "parts": [p.hex() for p in parts],
                       "hash": HASH(label, *parts).hex(),
                       "hash64": HASH64(label, *parts).hex()})
    for n in (0, 1, 32, 64, 128, 129, 1000):
        h, ikm = r.take(32), r.take(n)
        extracts.append({"h": h.hex(), "ikm": ikm.hex(),
                         "out": EXTRACT(h, ikm).hex()})
    for ctx, ident, n in [("VX6circ1", 1, 32), ("VX6creat", 2, 32),
                          ("VX6link1", 4, 16), ("VX6chan1", 9, 64),
                          ("VX6circ1", 2**40 + 3, 17)]:
        prk = bytes(range(32)) if not keys else r.take(32)
        keys.append({"prk": prk.hex(), "ctx": ctx, "id": ident,
                     "out": KEY(prk, ctx, ident, n).hex(),
                     "start": start_of(prk, ctx, ident)})
    for ad, n in [(0, 0), (0, 16), (1408, 80), (13, 1000)]:
        k, a, p = r.take(32), r.take(ad), r.take(n)
        seals.append({"k": k.hex(), "ad": a.hex(), "plain": p.hex(),
                      "sealed": SEAL(k, a, p).hex()})
    for n in (1, 64, 448, 1536):
        k = r.take(32)
        streams.append({"k": k.hex(), "out": STREAM(k, n).hex()})
    for _ in range(4):
        k = r.take(32)
        ids.append({"public": k.hex(), "id": blake2b(k, 32).hex(),
                    "kid": int.from_bytes(kid_of(k), "big")})
        s, o = r.take(32), r.take(32)
        dhs.append({"secret": s.hex(), "point": public_of(o).hex(),
                    "out": DH(s, public_of(o)).hex()})
    return {"hash": hashes, "extract": extracts, "key": keys, "seal": seals,
            "stream": streams, "id": ids, "dh": dhs}


def aead_vectors():
    r = Seed("aead")
    out = []
    for name, size, make in [("aes-128-gcm", 16, AESGCM),
                             ("aes-256-gcm", 32, AESGCM),
                             ("chacha20-poly1305", 32, ChaCha20Poly1305)]:
        for n, ad_len in [(0, 8), (1, 8), (15, 0), (16, 8), (17, 31),
                          (64, 8), (255, 8), (256, 8), (257, 8), (511, 20),
                          (767, 8), (768, 8), (769, 8), (1184, 8),
                          (1200, 8), (1440, 8)]:
            key, iv, ad, p = (r.take(x) for x in (size, 12, ad_len, n))
            c = make(key).encrypt(iv, p, ad or None)
            out.append({"alg": name, "key": key.hex(), "nonce": iv.hex(),
                        "ad": ad.hex(), "plain": p.hex(),
                        "cipher": c[:-16].hex(), "tag": c[-16:].hex()})
    return {"aead": out}


def cell_vectors():
    r = Seed("cell")
    out = []
    for kind, length, pad in [(1, 16, 0), (2, 17, 0), (3, 100, 0),
                              (1, 1456, 0), (1, 1216, 0), (1, 300, 916),
                              (2, 20, 1416), (4, 16, 0), (4, 1000, 0)]:
        link = r.below(2**24)
        circ = 0 if kind == 4 else 1 + r.below(2**32 - 1)
        counter = r.below(2**48)
        body, key = r.take(length + pad), r.take(16)
        cell = b"\x01" + link.to_bytes(3, "big") + circ.to_bytes(4, "big") \
            + H8(counter, kind, length) + body
        out.append({"key": key.hex(), "link": link, "circ": circ,
                    "counter": counter, "kind": kind, "len": length,
                    "body": body.hex(), "wire": protect(key, cell).hex()})
    return {"cell": out}


def make_hops(r, n, first_suite):
    return [Hop(1 + (first_suite + i) % 2, r.take(32), r.take(32),
                r.take(16), r.take(16), r.below(2**46), r.below(2**46))
            for i in range(n)]


def forward(hops, to, kind, plain, offsets):
    """H8 || C as it leaves the origin, then after each hop."""
    cell = plain
    for i in range(to, -1, -1):
        cell = hops[i].forward_seal(offsets[i], kind if i == to else 1, cell)
    steps = [cell]
    for i in range(to + 1):
        cell = hops[i].forward_open(cell)
        steps.append(cell)
    assert cell == plain
    return steps


def backward(hops, frm, kind, plain, offsets):
    """H8 || C as hop `frm` sends it, then after each hop before it."""
    steps = []
    cell = plain
    for i in range(frm, -1, -1):
        cell = hops[i].backward_seal(offsets[i], kind if i == frm else 1,
                                     cell)
        steps.append(cell)
    for i in range(frm + 1):
        cell = hops[i].backward_open(cell)
    assert cell == plain
    return steps


def shown_path(steps, key, at, kind, plain, offsets):
    return {key: at, "kind": kind, "plain": plain.hex(), "offsets": offsets,
            "steps": [s.hex() for s in steps]}


def offsets_of(r, n):
    return [r.below(2**28) for _ in range(n)]


def leg_vectors(n):
    r = Seed(f"leg {n}")
    hops = make_hops(r, n, n)
    fwd, back = [], []
    whole = 1472 - 16 - 24 * n + 8
    for at, kind, size in [(n - 1, 1, 100), (n - 1, 1, whole),
                           (n - 1, 1, 0), (0, 2, 40), (n // 2, 3, 7),
                           (n - 1, 2, 512)]:
        offs, p = offsets_of(r, n), r.take(size)
        fwd.append(shown_path(forward(hops, at, kind, p, offs), "to", at,
                              kind, p, offs))
        offs, p = offsets_of(r, n), r.take(size)
        back.append(shown_path(backward(hops, at, kind, p, offs), "from", at,
                               kind, p, offs))
    return {"hops": [h.shown() for h in hops], "forward": fwd,
            "backward": back}


def splice_vector(na, nb):
    """Origin A's plaintext at X, forward on leg a, then backward on leg b:
    P at X = H8_e || C_e (section 10)."""
    r = Seed(f"splice {na} {nb}")
    a, b = make_hops(r, na, 0), make_hops(r, nb, 1)
    e2e_key, e2e_iv = r.take(32), r.take(16)
    e2e_start = r.below(2**46)
    room = min(1472 - 34 - 24 * x for x in (na, nb))
    plain = struct.pack(">H", 1 << 12 | 50) + r.take(50)
    plain += bytes(2 + room - len(plain))
    p = seal_layer(2, e2e_key, e2e_iv, e2e_start, 1, plain)
    offs_a, offs_b = offsets_of(r, na), offsets_of(r, nb)
    there = forward(a, na - 1, 1, p, offs_a)
    back = backward(b, nb - 1, 1, p, offs_b)
    return {"a": [h.shown() for h in a], "b": [h.shown() for h in b],
            "e2e": {"suite": 2, "key": e2e_key.hex(), "iv": e2e_iv.hex(),
                    "counter": e2e_start},
            "channel": plain.hex(), "p": p.hex(),
            "forward": shown_path(there, "to", na - 1, 1, p, offs_a),
            "backward": shown_path(back, "from", nb - 1, 1, p, offs_b)}


def layer_vectors():
    return {"leg": [leg_vectors(n) for n in range(1, 9)],
            "splice": [splice_vector(*x)
                       for x in ((1, 1), (4, 4), (6, 6), (4, 6), (8, 1))]}


NOW = 1800000000
ROLES = {1: 2, 2: 3, 3: 4, 4: 5, 5: 6, 6: 7, 7: 2, 8: 4}


def create_hops(r, n):
    hops = []
    for i in range(n):
        secret = r.take(32)
        hops.append({
            "node_id": r.take(32), "onion_secret": secret,
            "onion_public": public_of(secret),
            "expires": NOW + 60 + r.below(61),
            "cell_size": (0, 1232, 1452)[(n + i) % 3],
            "lifetime": (10, 60, 240, 1440)[(n + i) % 4],
            "role": 1 if i + 1 < n else ROLES[n], "suite": 1 + (n + i) % 2,
            "u": 0 if i + 1 == n else 1452 - i,
        })
    return hops


def created(r, hops, e_secrets, part, sealed, fail_at, code):
    """Replies as each hop sends them, last hop first; [Part2]."""
    n = len(hops) if fail_at is None else fail_at + 1
    behind, replies, keys, ys = None, [], [], []
    tail = r.take(448)
    for i in range(n - 1, -1, -1):
        y = r.take(32)
        y_pub, e_pub = public_of(y), public_of(e_secrets[i])
        ss1 = DH(hops[i]["onion_secret"], e_pub)
        p2 = Part2(part[i].h1, sealed[i], y_pub, ss1, DH(y, e_pub))
        failed = fail_at == i
        text = status_text(code if failed else 0, hops[i]["suite"],
                           0 if failed else hops[i]["u"],
                           hops[i]["lifetime"] * 60)
        behind = reply_at(p2, y_pub, text, behind, tail)
        replies.append(behind)
        keys.append(p2)
        ys.append(y)
    return tail, replies[::-1], keys[::-1], ys[::-1]


def create_vector(n, early_len, fail_at=None, code=0):
    r = Seed(f"create {n} {early_len} {fail_at}")
    hops = create_hops(r, n)
    e_secrets = [r.take(32) for _ in range(n)]
    filler, early = r.take((8 - n) * 128), r.take(early_len)
    onion, part, sealed = build_onion(hops, e_secrets, filler, early)
    tail, replies, keys, ys = created(r, hops, e_secrets, part, sealed,
                                      fail_at, code)
    shown = []
    for i, h in enumerate(hops):
        text, nxt = relay_onion(h, onion)
        one = {k: v.hex() if isinstance(v, bytes) else v
               for k, v in h.items()}
        one.update(e=e_secrets[i].hex(), onion=onion.hex(), slot=text.hex(),
                   next=nxt.hex() if i + 1 == n else "")
        if i < len(keys):
            k = keys[i]
            one.update(y=ys[i].hex(), reply=replies[i].hex(),
                       keys=Hop(h["suite"], k.k_f, k.k_b, k.iv_f, k.iv_b,
                                k.start_f, k.start_b).shown())
        shown.append(one)
        onion = nxt
    assert onion[1024:] == early + bytes(512 - early_len)
    return {"n": n, "now": NOW, "early": early.hex(), "filler": filler.hex(),
            "tail": tail.hex(), "answered": len(keys), "code": code,
            "hops": shown}


def create_vectors():
    sizes = (0, 1, 48, 80, 511, 512, 16, 512)
    whole = [create_vector(n, sizes[n - 1]) for n in range(1, 9)]
    failed = [create_vector(4, 0, at, at + 2) for at in range(4)]
    return {"create": whole, "failed": failed}


def self_test():
    """Section 14, and that a wrong key is a wrong key here too."""
    assert KEY(bytes(range(32)), "VX6circ1", 1, 32).hex() == (
        "963f0b4661f3c64d438bd0848556969857a8572248c2921e64c19bf254469722")
    assert HASH("vx6/1 test", b"ab", b"").hex() == (
        "8b9c83c486100fb7a9d88a5190dbaf1c07598371f38387c23de61f6b40bf986f")
    try:
        OPEN(bytes(32), b"", SEAL(bytes(31) + b"\x01", b"", b"x"))
    except InvalidTag:
        return
    raise AssertionError("opened with a wrong key")


FILES = {"kdf": kdf_vectors, "aead": aead_vectors, "cell": cell_vectors,
         "layer": layer_vectors, "create": create_vectors}


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    target = sys.argv[1] if len(sys.argv) > 1 else here
    self_test()
    for name, make in FILES.items():
        doc = {"about": "made by tests/vectors/make_vectors.py"}
        doc.update(make())
        with open(os.path.join(target, name + ".json"), "w",
                  encoding="ascii") as f:
            json.dump(doc, f, indent=1)
            f.write("\n")


if __name__ == "__main__":
    main()
