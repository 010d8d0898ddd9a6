#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 120
"""The CDDL in controlplane/record against the bytes that C writes and takes.

test_samples (C) writes real bodies.  This script reads them with its own
strict CBOR decoder and its own CDDL checker (RFC 8610, the part in use),
verifies the records' signatures with another library, then bends every
sample (a key left out, added, doubled; a value of another type, one longer,
out of range) and compares: C must take exactly what the CDDL takes.
"""
import glob
import os
import re
import subprocess
import tempfile

from harness import command, tap

BUILD = os.environ.get("VX6_BUILD") or os.path.join(command.TOP, "build")


# ---- CBOR, deterministic encoding only (RFC 8949 section 4.2.1) ----

class Bad(Exception):
    pass


class Map(list):
    """Pairs in their order; keys may repeat while we bend things."""


def decode(b):
    v, at = item(b, 0)
    if at != len(b):
        raise Bad("bytes behind the item")
    return v


def item(b, at):
    if at >= len(b):
        raise Bad("ends too early")
    major, info = b[at] >> 5, b[at] & 31
    at += 1
    if info > 27:
        raise Bad("indefinite length")
    n = info
    if info > 23:
        size = 1 << (info - 24)
        if at + size > len(b):
            raise Bad("ends too early")
        n = int.from_bytes(b[at:at + size], "big")
        at += size
        if major != 7 and n < (24, 256, 65536, 1 << 32)[info - 24]:
            raise Bad("longer head than needed")
    if major < 2:
        return (n if major == 0 else -1 - n), at
    if major < 4:
        if at + n > len(b):
            raise Bad("ends too early")
        s = b[at:at + n]
        return (s if major == 2 else s.decode()), at + n
    if major == 4:
        out = []
        for _ in range(n):
            v, at = item(b, at)
            out.append(v)
        return out, at
    if major == 5:
        out = Map()
        for _ in range(n):
            k, at = item(b, at)
            v, at = item(b, at)
            if out and isinstance(k, int) and isinstance(out[-1][0], int) \
                    and k <= out[-1][0]:
                raise Bad("keys do not rise")
            out.append((k, v))
        return out, at
    if major == 7 and info in (20, 21, 22):
        return {20: False, 21: True, 22: None}[info], at
    raise Bad(f"major {major}, {info}")


def head(major, n):
    if n < 24:
        return bytes([major << 5 | n])
    for i, size in enumerate((1, 2, 4, 8)):
        if n < 1 << 8 * size:
            return bytes([major << 5 | 24 + i]) + n.to_bytes(size, "big")
    raise Bad("too large")


def encode(v):
    if v is None or v is True or v is False:
        return {None: b"\xf6", True: b"\xf5", False: b"\xf4"}[v]
    if isinstance(v, int):
        return head(0, v) if v >= 0 else head(1, -1 - v)
    if isinstance(v, bytes):
        return head(2, len(v)) + v
    if isinstance(v, str):
        return head(3, len(v.encode())) + v.encode()
    if isinstance(v, Map):
        return head(5, len(v)) + b"".join(encode(k) + encode(x) for k, x in v)
    return head(4, len(v)) + b"".join(encode(x) for x in v)


# ---- CDDL, as far as these files use it ----

TOKEN = re.compile(r"""\s*(?:;[^\n]*\n\s*)*(
    "[^"]*" | \.\.(?!\.) | => | \.[a-z]+ | \d+\*\d+ | \d+ |
    [a-z][a-z0-9-]* | [][{}()=:,?*/&] )""", re.X)


class Reader:
    def __init__(self, text):
        self.toks = []
        text = re.sub(r";[^\n]*", "", text)
        at = 0
        while text[at:].strip():
            m = TOKEN.match(text, at)
            if not m:
                raise Bad("CDDL: " + text[at:at + 40])
            self.toks.append(m.group(1))
            at = m.end()
        self.at = 0

    def peek(self, ahead=0):
        i = self.at + ahead
        return self.toks[i] if i < len(self.toks) else ""

    def take(self, want=None):
        t = self.peek()
        if want and t != want:
            raise Bad(f"CDDL: {t} where {want} should be")
        self.at += 1
        return t

    def rules(self):
        out = {}
        while self.at < len(self.toks):
            name = self.take()
            self.take("=")
            out[name] = self.type()
        return out

    def type(self):
        alternatives = [self.one()]
        while self.peek() == "/":
            self.take()
            alternatives.append(self.one())
        return alternatives[0] if len(alternatives) == 1 \
            else ("or", alternatives)

    def one(self):
        t = self.take()
        if t == "{":
            node = ("map", self.group("}"))
        elif t == "[":
            node = ("array", self.group("]"))
        elif t == "(":
            node = self.type()
            self.take(")")
        elif t == "&":
            self.take("(")
            node = ("or", [m[2] for m in self.group(")")])  # named values
        elif t[0] == '"':
            node = ("literal", t[1:-1])
        elif t.isdigit():
            node = ("literal", int(t))
        else:
            node = ("name", t)
        while True:
            if self.peek() == "..":
                self.take()
                node = ("range", node[1], int(self.take()))
            elif self.peek().startswith(".") and self.peek() != "..":
                node = ("control", self.take()[1:], node, self.one())
            else:
                return node

    def group(self, end):
        """[(occurrence, key or None, type)]; a nested group has key "()"."""
        out = []
        while self.peek() != end:
            low, high = 1, 1
            if self.peek() in ("?", "*"):
                low, high = 0, (1 if self.take() == "?" else 1 << 30)
            elif "*" in self.peek():
                low, high = map(int, self.take().split("*"))
            if self.peek() == "(":
                self.take()
                out.append(((low, high), "()", self.group(")")))
            else:
                out.append(((low, high),) + self.member())
            if self.peek() == ",":
                self.take()
        self.take(end)
        return out

    def member(self):
        if self.peek(1) == ":":  # a name for people
            self.take()
            self.take(":")
            return (None, self.type())
        t = self.type()
        if self.peek() == "=>":
            self.take()
            return (t, self.type())
        return (None, t)


class Checker:
    def __init__(self, rules):
        self.rules = rules

    def ok(self, t, v):
        kind = t[0]
        if kind == "or":
            return any(self.ok(x, v) for x in t[1])
        if kind == "literal":
            return type(v) is type(t[1]) and v == t[1]
        if kind == "range":
            return type(v) is int and t[1] <= v <= t[2]
        if kind == "control":
            return self.control(t[1], t[2], t[3], v)
        if kind == "name":
            return self.name(t[1], v)
        if kind == "array":
            return isinstance(v, list) and not isinstance(v, Map) and \
                self.array(t[1], v)
        if kind == "map":
            return isinstance(v, Map) and self.map(t[1], v)
        raise Bad(f"CDDL: {t}")

    def name(self, name, v):
        known = {"uint": lambda: type(v) is int and v >= 0,
                 "bytes": lambda: isinstance(v, bytes),
                 "tstr": lambda: isinstance(v, str),
                 "null": lambda: v is None, "any": lambda: True}
        if name in known:
            return known[name]()
        return self.ok(self.rules[name], v)

    def control(self, op, t, arg, v):
        if not self.ok(t, v):
            return False
        if op == "size" and isinstance(v, bytes):
            low = arg[1]
            high = arg[2] if arg[0] == "range" else low
            return low <= len(v) <= high
        if op == "size":
            return v < 1 << 8 * arg[1]
        if op == "le":
            return v <= arg[1]
        if op == "regexp":
            return re.fullmatch(arg[1], v) is not None
        if op == "cbor":
            try:
                return self.ok(arg, decode(v))
            except Bad:
                return False
        raise Bad(f"CDDL: .{op}")

    def array(self, members, v):
        at = 0
        for (low, high), _, t in members:
            n = 0
            while at < len(v) and n < high and self.ok(t, v[at]):
                at += 1
                n += 1
            if n < low:
                return False
        return at == len(v)

    def map(self, members, v):
        keys = [k for k, _ in v]
        if len(set(map(repr, keys))) != len(keys):
            return False
        known, rest = {}, None
        flat = []
        for occurs, key, t in members:
            if key != "()":
                flat.append((occurs, key, t))
                continue
            inner = [k[1] for _, k, _ in t]
            there = any(k in keys for k in inner)
            flat += [((low if there else 0, high), k, x)
                     for (low, high), k, x in t] if there else []
            if not there:
                continue
        for (low, high), key, t in flat:
            if key[0] == "literal":
                known[key[1]] = (low, t)
            else:
                rest = (key, t)
        # a key that only an absent group has is no unknown one
        named = {k[1] for _, key, t in members if key == "()"
                 for _, k, _ in t} | set(known)
        for k, x in v:
            if k in known and type(k) is int:
                if not self.ok(known[k][1], x):
                    return False
            elif k in named or rest is None or not self.ok(rest[0], k) or \
                    not self.ok(rest[1], x):
                return False
        return all(low == 0 or k in keys for k, (low, _) in known.items())


def rules():
    out = {}
    for path in sorted(glob.glob(os.path.join(
            command.TOP, "controlplane/record/*.cddl"))):
        with open(path, encoding="utf-8") as f:
            out.update(Reader(f.read()).rules())
    return out


# ---- the C ends ----

def program():
    path = os.path.join(BUILD, "tests/unit/test_samples")
    if not os.path.exists(path):  # only this script was asked for
        env = {k: v for k, v in os.environ.items()
               if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
        subprocess.run(["make", f"BUILD={BUILD}", path], cwd=command.TOP,
                       env=env, check=True, stdout=subprocess.DEVNULL)
    return path


def run_c(**env):
    full = dict(os.environ, **env)
    full.pop("VX6_TEST_ONLY", None)
    subprocess.run([program()], env=full, cwd=command.TOP, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def load(directory):
    out = {}
    for name in sorted(os.listdir(directory)):
        with open(os.path.join(directory, name), "rb") as f:
            out[name] = f.read()
    return out


# ---- bending ----

LATER = [0, 99, 1 << 40]  # keys that nobody knows
OTHERS = [0, 1, -1, 1 << 16, 1 << 32, (1 << 64) - 1, b"", b"x", "", "x", "X",
          "learn", None, True, [], Map(), [1, 2], Map([(1, 1)])]


def bend_value(v):
    """v and its neighbours, then something else altogether."""
    if type(v) is int:
        yield from (x for x in (v - 1, v + 1, 255, 256, 65535) if x >= 0)
    elif isinstance(v, bytes):
        yield from (v + b"\0", v[:-1])
    elif isinstance(v, str):
        yield from (v + "a", v[:-1], v + "\x7f", v.upper())
    elif isinstance(v, Map):
        yield from bend_map(v)
    elif isinstance(v, list):
        yield from bend_list(v)
    yield from OTHERS


def bend_map(v):
    for i, (k, x) in enumerate(v):
        yield Map(v[:i] + v[i + 1:])               # left out
        yield Map(v[:i + 1] + v[i:])               # doubled
        yield Map(v[:i] + [(str(k), x)] + v[i + 1:])
        if i:                                      # out of order
            yield Map(v[:i - 1] + [v[i], v[i - 1]] + v[i + 1:])
        for y in bend_value(x):
            yield Map(v[:i] + [(k, y)] + v[i + 1:])
    for k in LATER:
        for x in ("later", Map([("a", [1])])):
            yield Map(sorted(v + [(k, x)], key=lambda p: p[0]))
    for k in range(1, 14):                         # fields it did not have
        if k not in [p[0] for p in v]:
            for x in (0, 1, b"x" * 32, "x", []):
                yield Map(sorted(v + [(k, x)], key=lambda p: p[0]))


def bend_list(v):
    for i, x in enumerate(v):
        yield v[:i] + v[i + 1:]
        yield v[:i + 1] + v[i:]
        for y in bend_value(x):
            yield v[:i] + [y] + v[i + 1:]
    if v:
        for n in (8, 9, 4, 257):
            yield [v[0]] * n


def get(m, k, default=None):
    return dict((a, b) for a, b in m if type(a) is int).get(k, default)


def onion_good(o):
    return any(get(o, 1)) and get(o, 2) < get(o, 3)


def beyond_cddl(rule, v):
    """What the headers say and CDDL cannot: True when v breaks it."""
    if rule == "signed-part":
        return get(v, 6) <= get(v, 5)
    if rule == "node":
        return any(get(v, k) is not None and not onion_good(get(v, k))
                   for k in (7, 8))
    if rule == "open":
        return get(v, 3) is not None and get(v, 2) != 2
    return False


def bent(samples, checker):
    """{file name: (bytes, what the CDDL says)}"""
    out, seen = {}, set()
    for name, data in samples.items():
        rule = name.split(".")[0]
        if rule == "record":
            continue
        start = decode(data)
        for v in [start, *bend_value(start)]:
            raw = encode(v)
            if (rule, raw) in seen or len(raw) > 60000:
                continue
            seen.add((rule, raw))
            try:
                again = decode(raw)
                take = checker.ok(("name", rule), again) and \
                    not beyond_cddl(rule, again)
            except Bad:
                take = False
            if rule == "signed-part" and len(raw) > 8000:
                continue
            if rule.startswith("open") and len(raw) > 256:
                take = False
            out[f"{rule}.{len(out)}"] = (raw, take)
    return out


# ---- tests ----

@tap.once
def checker():
    return Checker(rules())


@tap.once
def samples():
    """Real bodies, by name."""
    with tempfile.TemporaryDirectory() as where:
        run_c(VX6_SAMPLES=where)
        return load(where)


@tap.test
def samples_are_what_the_cddl_says():
    bad = []
    for name, data in samples().items():
        try:
            if not checker().ok(("name", name.split(".")[0]), decode(data)):
                bad.append(name)
            if encode(decode(data)) != data:
                bad.append(name + ": not deterministic")
        except Bad as e:
            bad.append(f"{name}: {e}")
    tap.equal(bad, [])
    tap.true(len(samples()) >= 15, f"{len(samples())} samples: too few")


@tap.test
def signatures_hold_for_another_library():
    try:
        from nacl.exceptions import BadSignatureError
        from nacl.signing import VerifyKey
    except ImportError:
        raise tap.Skip("nacl: python3-nacl is not installed")
    bad = []
    for name in ("record.full", "record.bare"):
        inner, signature = decode(samples()[name])
        key = get(decode(inner), 3)
        try:
            VerifyKey(key).verify(b"vx6/1 record\0" + inner, signature)
        except BadSignatureError:
            bad.append(name)
        if get(decode(inner), 7) != samples()["node." + name.split(".")[1]]:
            bad.append(name + ": another body")
    tap.equal(bad, [])


def judged(cases):
    """What C says of each."""
    with tempfile.TemporaryDirectory() as directory:
        where = os.path.join(directory, "bent")
        os.mkdir(where)
        for name, (raw, _) in cases.items():
            with open(os.path.join(where, name), "wb") as f:
                f.write(raw)
        run_c(VX6_JUDGE=where)
        with open(where + ".verdict", encoding="utf-8") as f:
            return dict(line.split() for line in f)


@tap.test
def c_and_cddl_agree_on_bent_bodies():
    cases = bent(samples(), checker())
    verdict = judged(cases)
    wrong = [f"{name}: C says {verdict.get(name)}, CDDL "
             f"{'takes' if take else 'refuses'} {raw[:60].hex()}"
             for name, (raw, take) in cases.items()
             if (verdict.get(name) == "OK") != take]
    taken = sum(t for _, t in cases.values())
    tap.note(f"{len(cases)} cases, {taken} to be taken")
    tap.equal(wrong[:40], [])
    tap.true(taken > 100 and len(cases) - taken > 1000, "too few cases")


@tap.test
def the_checker_checks():
    """The checker itself refuses: CDDL by hand, and what it must say."""
    c = Checker(Reader("""a = { 1 => 3..5, ? 2 => tstr .regexp "[ab]+",
        * uint => any }  b = [0*2 uint .size 1, "x"]
        c = { ? (1 => uint, ? 2 => uint), * uint => any }""").rules())
    want = [("a", Map([(1, 3)]), True), ("a", Map([(1, 6)]), False),
            ("a", Map([(1, True)]), False), ("a", Map(), False),
            ("a", Map([(1, 4), (2, "ab")]), True),
            ("a", Map([(1, 4), (2, "abc")]), False),
            ("a", Map([(1, 4), (7, None)]), True),
            ("a", Map([(1, 4), ("k", 1)]), False), ("a", [], False),
            ("b", ["x"], True), ("b", [255, 0, "x"], True),
            ("b", [256, "x"], False), ("b", [1, 1, 1, "x"], False),
            ("b", [1], False), ("c", Map(), True),
            ("c", Map([(1, 1), (2, 1)]), True), ("c", Map([(2, 1)]), False)]
    wrong = [w for w in want if c.ok(("name", w[0]), w[1]) != w[2]]
    used = {"record", "node", "signed-part", "hello", "records", "link",
            "records-wanted", "link-close", "goaway", "open", "open-ok",
            "open-fail", "channel"}
    wrong += sorted(used - set(checker().rules))
    tap.equal(wrong, [])


tap.main()
