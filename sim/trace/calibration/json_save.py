"""Saves a JSON file again and again, in one of four ways.

json_save.py DIR in-place|rename|file-sync|directory-sync
"""

import json
import os
import sys

folder, way = sys.argv[1:]
path = os.path.join(folder, "state.json")
aside = path if way == "in-place" else path + ".tmp"

for number in range(1, 4):
    with open(aside, "w") as file:
        json.dump({"number": number, "text": "x" * 5000}, file)
        if way in ("file-sync", "directory-sync"):
            file.flush()
            os.fsync(file.fileno())
    if aside != path:
        os.rename(aside, path)
    if way == "directory-sync":
        directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        os.fsync(directory)
        os.close(directory)
    print("saved", number, flush=True)
