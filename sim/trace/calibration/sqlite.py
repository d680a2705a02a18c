"""Rows in an SQLite database.

sqlite.py setup DIR JOURNAL     makes it, with one row
sqlite.py run DIR JOURNAL SYNCHRONOUS     puts rows, each in a transaction that changes another one too
sqlite.py check                 a check server
"""

import os
import sqlite3
import sys

from check import in_order, serve


def connect(folder, journal=None, synchronous=None):
    database = sqlite3.connect(folder + "/rows.db", isolation_level=None)
    if journal:
        database.execute(f"pragma journal_mode = {journal}")
    if synchronous:
        database.execute(f"pragma synchronous = {synchronous}")
    return database


def setup(folder, journal):
    database = connect(folder, journal)
    database.execute("create table rows (number integer primary key, text text)")
    database.execute("insert into rows values (0, 'the last one is 0')")
    database.close()


def run(folder, journal, synchronous):
    database = connect(folder, journal, synchronous)
    for number in range(1, 4):
        database.execute("begin")
        database.execute("insert into rows values (?, ?)", (number, str(number) * 3000))
        last = f"the last one is {number}"
        database.execute("update rows set text = ? where number = 0", (last,))
        database.execute("commit")
        print("put", number, flush=True)
    # As a process ends that is not asked to: nothing is closed.
    os._exit(0)


def check(folder, acks):
    database = connect(folder)
    try:
        (whole,) = database.execute("pragma integrity_check").fetchone()
        if whole != "ok":
            return whole.splitlines()[0]
        rows = database.execute("select number, text from rows order by number").fetchall()
        numbers = [number for number, _ in rows[1:]]
        if rows[0][1] != f"the last one is {len(numbers)}":
            return "half a transaction"
        return in_order(numbers, acks)
    finally:
        database.close()


match sys.argv[1:]:
    case ["setup", folder, journal]:
        setup(folder, journal)
    case ["run", folder, journal, synchronous]:
        run(folder, journal, synchronous)
    case ["check"]:
        serve(check)
