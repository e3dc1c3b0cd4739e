"""Runs the tests of this folder and ends with one line that counts them. Start it with tests/foreign/run."""

import signal
import sys
import time
import unittest
from pathlib import Path

FOLDER = Path(__file__).parent


class Progress(unittest.TextTestResult):
    """Counts what passed, which unittest does not, each subtest included."""

    passed = 0

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed += 1

    def addSubTest(self, test, subtest, failure):
        super().addSubTest(test, subtest, failure)
        if failure is None:
            self.passed += 1


def main() -> int:
    started = time.monotonic()
    # Ends the servers as ^C does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.path.insert(0, str(FOLDER))
    loader = unittest.TestLoader()
    names = sys.argv[1:]
    tests = loader.loadTestsFromNames(names) if names else loader.discover(str(FOLDER))
    result = unittest.TextTestRunner(stream=sys.stdout, resultclass=Progress, verbosity=2).run(tests)
    failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    print(f"{result.passed} passed, {failed} failed, {time.monotonic() - started:.0f} s")
    return 1 if failed or not result.passed else 0


if __name__ == "__main__":
    sys.exit(main())
