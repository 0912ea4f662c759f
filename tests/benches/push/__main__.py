"""Pushes to lawpulse: how much it acknowledges, until when that shows, and what very many small pushes leave behind.

usage: push LAWPULSE FOLDER SECONDS
       push LAWPULSE FOLDER --small BODIES

FOLDER/log holds what `lawpulse simulate --profile scale` wrote; SECONDS is the time for each row.
"""

import glob
import shutil
import signal
import subprocess
import sys

from bodies import units
from sustained import disk, sustained

# How long each row of what the disk takes is measured at most.
DISK_SECONDS = 3


def land(lawpulse, lake, *files):
    shutil.rmtree(lake, ignore_errors=True)
    command = [lawpulse, "land", "--lake", lake, *files]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    print(f"{lake}: {done.stdout.strip().splitlines()[-1]}")


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    lawpulse, work, how = sys.argv[1], sys.argv[2], sys.argv[3]
    land(lawpulse, f"{work}/empty", "--source", "reference", *sorted(glob.glob(f"{work}/log/reference/*.csv")))
    orgs = units(work)
    seconds = float(how)
    disk(work, orgs, min(seconds, DISK_SECONDS))
    sustained(lawpulse, work, orgs[1:], seconds)


main()
