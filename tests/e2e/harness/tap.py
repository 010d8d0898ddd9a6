# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests as functions, their results as TAP.

    from harness import tap

    @tap.test
    def curl_gets_the_page():
        ...
        tap.equal(got, want)

    tap.main()

A test fails by any exception; tap.Skip("root: not root") skips it with a
reason.  VX6_TEST_ONLY, a glob, chooses tests.  What a test registered with
tap.after() is undone when it ends, last first, however it ends; what was
registered outside of a test, when the program ends.
"""
import fnmatch
import os
import signal
import sys
import time
import traceback

_tests = []
_undo_test, _undo_all = [], []
_in_test = False


class Skip(Exception):
    """Why a test cannot run here, `reason: sentence`."""


class Failed(AssertionError):
    pass


def test(function):
    _tests.append(function)
    return function


def after(function, *args):
    """Calls function when the running test, or the program, is over."""
    (_undo_test if _in_test else _undo_all).append((function, args))


def once(make):
    """A function that makes something when first asked for it, and keeps it
    for all tests: what it registers is undone when the program ends."""
    made = []

    def get():
        global _in_test
        if not made:
            before, _in_test = _in_test, False
            try:
                made.append(make())
            finally:
                _in_test = before
        return made[0]
    return get


def _unwind(stack):
    trouble = None
    while stack:
        function, args = stack.pop()
        try:
            function(*args)
        except Exception:  # the others have to be undone all the same
            trouble = traceback.format_exc()
    return trouble


def finish():
    """Undoes everything now: for programs that are no tests."""
    for trouble in (_unwind(_undo_test), _unwind(_undo_all)):
        if trouble:
            print(trouble, file=sys.stderr)


# ---- what a test says ----

def equal(got, want, what=""):
    if got != want:
        raise Failed(f"{what + ': ' if what else ''}got {got!r}, "
                     f"wanted {want!r}")


def true(value, what):
    if not value:
        raise Failed(what)


def within(text, part, what=""):
    if part not in text:
        raise Failed(f"{what + ': ' if what else ''}{part!r} is not in "
                     f"{text!r}")


def absent(text, part, what=""):
    if part in text:
        raise Failed(f"{what + ': ' if what else ''}{part!r} is in {text!r}")


def note(text):
    """A line for whoever reads the log."""
    for line in str(text).splitlines() or [""]:
        print("# " + line, flush=True)


def wait(condition, what, seconds=20.0, hint=None):
    """Returns condition()'s first true value; the time limit is only there
    to fail in the end, nothing is ever assumed to be done by then."""
    seconds *= float(os.environ.get("VX6_TIMEOUT_FACTOR", "1"))
    until = time.monotonic() + seconds
    pause = 0.002
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > until:
            more = f"; {hint()}" if hint else ""
            raise Failed(f"waited {seconds:.0f} s in vain for {what}{more}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


# ---- running ----

def _run_one(function):
    global _in_test
    _in_test = True
    try:
        function()
        return None
    except Skip:
        raise
    finally:
        trouble = _unwind(_undo_test)
        _in_test = False
        if trouble and sys.exc_info()[0] is None:
            raise Failed("cleaning up failed:\n" + trouble)


def _report(number, function):
    name = function.__name__
    began = time.monotonic()
    try:
        _run_one(function)
    except Skip as e:
        print(f"ok {number} - {name} # SKIP {e}", flush=True)
        return True
    except Exception as e:
        if isinstance(e, Failed):
            frames = traceback.extract_tb(e.__traceback__)
            where = [f for f in frames if "/harness/" not in f.filename]
            at = where[-1] if where else frames[-1]
            note(f"{os.path.basename(at.filename)}:{at.lineno}: {e}")
        else:
            note(traceback.format_exc())
        print(f"not ok {number} - {name}", flush=True)
        return False
    note(f"{name}: {time.monotonic() - began:.1f} s")
    print(f"ok {number} - {name}", flush=True)
    return True


def _interrupted(signo, frame):
    raise KeyboardInterrupt


def main(skip_all=None):
    """Runs the tests of this program and exits.  skip_all is a reason that
    holds for every one."""
    only = os.environ.get("VX6_TEST_ONLY", "*")
    chosen = [t for t in _tests if fnmatch.fnmatch(t.__name__, only)]
    signal.signal(signal.SIGTERM, _interrupted)
    signal.signal(signal.SIGHUP, _interrupted)
    print(f"1..{len(chosen)}", flush=True)
    good = True
    try:
        for i, function in enumerate(chosen, 1):
            if skip_all:
                print(f"ok {i} - {function.__name__} # SKIP {skip_all}",
                      flush=True)
            else:
                good = _report(i, function) and good
    except KeyboardInterrupt:
        print("Bail out! interrupted", flush=True)
        good = False
    finally:
        trouble = _unwind(_undo_all)
        if trouble:
            note(trouble)
            good = False
    sys.stdout.flush()
    sys.exit(0 if good else 1)
