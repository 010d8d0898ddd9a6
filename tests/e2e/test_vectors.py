#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 120
"""The committed vectors are what tests/vectors/make_vectors.py makes: it is
run again into an empty directory and each file compared byte for byte."""
import os
import subprocess
import sys
import tempfile

TOP = os.environ.get("VX6_TOP") or os.path.dirname(os.path.dirname(
    os.path.dirname(os.path.abspath(__file__))))
VECTORS = os.path.join(TOP, "tests", "vectors")
NAMES = ["aead", "cell", "create", "kdf", "layer"]


def read(path):
    try:
        with open(path, "rb") as f:
            return f.read()
    except OSError as e:
        print(f"# {path}: {e.strerror}")
        return None


def main():
    failed = 0
    print(f"1..{len(NAMES) + 1}")
    with tempfile.TemporaryDirectory() as new:
        made = subprocess.run(
            [sys.executable, os.path.join(VECTORS, "make_vectors.py"), new],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        for line in made.stdout.decode("utf-8", "replace").splitlines():
            print("#", line)
        files = sorted(os.listdir(new))
        whole = made.returncode == 0 and files == [n + ".json" for n in NAMES]
        failed += not whole
        print(f"{'ok' if whole else 'not ok'} 1 - the generator runs")
        for i, name in enumerate(NAMES, 2):
            want = read(os.path.join(VECTORS, name + ".json"))
            same = want is not None and \
                want == read(os.path.join(new, name + ".json"))
            failed += not same
            print(f"{'ok' if same else 'not ok'} {i} - {name}.json is "
                  "what it makes")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
