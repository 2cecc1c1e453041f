"""Prints log lines of the demo, for commands that take a sample."""

import argparse
import json

from generator import SOME_DAY, documents

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--lines", type=int, default=4000, help="(default %(default)s)")
arguments = parser.parse_args()
for document in documents(arguments.lines, seed=1, start=SOME_DAY):
    print(json.dumps(document, ensure_ascii=False, separators=(",", ":")))
