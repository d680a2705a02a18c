"""Values in a store from PyPI.

store.py setup KIND DIR            makes it
store.py run KIND DIR MODE         puts values
store.py check KIND                a check server

KIND is `lmdb` or `leveldb`.
"""

import os
import sys

from check import in_order, serve

VALUE = b"v" * 500
LMDB = {"default": {}, "no-sync": {"sync": False}, "write-map": {"writemap": True}}


def open_lmdb(folder, mode="default"):
    import lmdb

    return lmdb.open(folder + "/store", map_size=1 << 20, **LMDB[mode])


def open_leveldb(folder):
    import plyvel

    return plyvel.DB(folder + "/store", create_if_missing=True, write_buffer_size=64 << 10)


def put(kind, folder, mode):
    store = open_lmdb(folder, mode) if kind == "lmdb" else open_leveldb(folder)
    for number in range(1, 7):
        key = b"%04d" % number
        if kind == "lmdb":
            with store.begin(write=True) as transaction:
                transaction.put(key, VALUE)
        else:
            store.put(key, VALUE, sync=mode == "sync")
        print("put", number, flush=True)
    # As a process ends that is not asked to: nothing is closed.
    os._exit(0)


def numbers(pairs):
    for key, value in pairs:
        if value != VALUE:
            raise ValueError(f"the value of {int(key)} is another")
        yield int(key)


def check_lmdb(folder, acks):
    store = open_lmdb(folder)
    with store.begin() as transaction:
        found = list(numbers(transaction.cursor()))
    store.close()
    return in_order(found, acks)


def check_leveldb(folder, acks):
    store = open_leveldb(folder)
    found = list(numbers(store))
    store.close()
    return in_order(found, acks)


match sys.argv[1:]:
    case ["setup", "lmdb", folder]:
        open_lmdb(folder).close()
    case ["setup", "leveldb", folder]:
        open_leveldb(folder).close()
    case ["run", kind, folder, mode]:
        put(kind, folder, mode)
    case ["check", "lmdb"]:
        serve(check_lmdb)
    case ["check", "leveldb"]:
        serve(check_leveldb)
