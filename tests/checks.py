"""Tests of a script as a list: a line each as they go, and at the end `N passed, N failed, N skipped`."""

import sys
import time

passed = failed = 0


def test(name):
    """Runs the function under it at once. What it returns stands on its line."""
    def run(body):
        global passed, failed
        begun = time.monotonic()
        try:
            said = body() or ""
            passed += 1
            print(f"ok      {name} {said} ({time.monotonic() - begun:.1f} s)", flush=True)
        except Exception as problem:
            failed += 1
            print(f"FAILED  {name}: {type(problem).__name__}: {str(problem)[:6000]}", flush=True)
    return run


def end():
    """Says how it went, and ends the program."""
    print(f"{passed} passed, {failed} failed, 0 skipped")
    sys.exit(failed > 0)
