"""Prints log lines of the demo, for commands that take a sample."""

import argparse
import json
from datetime import datetime

from generator import documents

# In UTC. Any day will do, as long as the lines are the same each time.
START = datetime(2026, 1, 15)

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--lines", type=int, default=4000, help="(default %(default)s)")
arguments = parser.parse_args()
for document in documents(arguments.lines, seed=1, start=START):
    print(json.dumps(document, ensure_ascii=False, separators=(",", ":")))
