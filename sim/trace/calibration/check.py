"""What the check servers have in common."""

import sys
import traceback


def serve(check):
    """Answers each line `DIR<TAB>ACKS` with `ok`, or with what is wrong: what `check` returns or raises."""
    for line in sys.stdin:
        folder, acks = line.rstrip("\n").split("\t")
        try:
            with open(acks) as said:
                wrong = check(folder, len(said.readlines()))
        except Exception as error:
            text = "".join(traceback.format_exception_only(error)).strip()
            wrong = text.replace(folder, "")
        print((wrong or "ok").replace("\n", " "), flush=True)


def in_order(found, acks):
    """What is wrong with the numbers that were found, where 1, 2, … were put one after the other."""
    found = sorted(found)
    if found != list(range(1, len(found) + 1)):
        return f"a hole: {found}"
    if len(found) < acks:
        return f"{acks} put, {len(found)} found"
