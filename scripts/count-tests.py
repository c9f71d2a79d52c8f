#!/usr/bin/env python3
"""Reads the output of a test runner and prints "PASSED FAILED SKIPPED".

Understood are cargo-nextest ("Summary [...] 5 tests run: 4 passed, 1 failed, 2 skipped"), cargo test
("test result: ok. 3 passed; 0 failed; 1 ignored") and scripts/system-test.py ("3 passed, 0 failed,
0 skipped"). The argument is the exit status of the runner: a runner that failed without a failed test,
or that printed no count at all, counts as one failure.
"""

import re
import sys

ANSI = re.compile(r"\x1b\[[0-9;]*m")


def count(text):
    """The three numbers in the text, and whether any count was found."""
    passed = failed = skipped = 0
    found = False
    for line in ANSI.sub("", text).splitlines():
        nextest = re.match(r"\s*Summary \[.*\]\s+(?:\d+/)?\d+ tests? run: (.*)", line)
        libtest = re.match(r"test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored", line)
        ours = re.fullmatch(r"(\d+) passed, (\d+) failed, (\d+) skipped", line.strip())
        if nextest:
            for number, word in re.findall(r"(\d+) (passed|failed|timed out|exec failed|skipped)", nextest[1]):
                if word == "passed":
                    passed += int(number)
                elif word == "skipped":
                    skipped += int(number)
                else:
                    failed += int(number)
        elif libtest or ours:
            p, f, s = map(int, (libtest or ours).groups())
            passed, failed, skipped = passed + p, failed + f, skipped + s
        else:
            continue
        found = True
    return passed, failed, skipped, found


def main():
    status = int(sys.argv[1])
    passed, failed, skipped, found = count(sys.stdin.read())
    if failed == 0 and (status != 0 or not found):
        failed = 1
    print(passed, failed, skipped)


if __name__ == "__main__":
    main()
