"""Pushes to lawpulse: how much it acknowledges, until when that shows, and what very many small pushes leave behind.

usage: push LAWPULSE FOLDER SECONDS INFLUXD
       push LAWPULSE FOLDER --small BODIES

FOLDER/log holds what `lawpulse simulate --profile scale` wrote; SECONDS is the time for each row, INFLUXD a peer's program.
"""

import glob
import shutil
import signal
import subprocess
import sys

from bodies import units
from peers import Datasette, InfluxDb
from servers import events_in
from shows import TARGET, shows
from small import small
from sustained import disk, sustained

# How long each row of what the disk takes is measured at most.
DISK_SECONDS = 3


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    lawpulse, work, how = sys.argv[1], sys.argv[2], sys.argv[3]

    def land(lake, files):
        command = ["env", "LAWPULSE_LOG=warn", lawpulse, "land", "--lake", lake, *files]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)

    for lake in ("empty", "large"):
        shutil.rmtree(f"{work}/{lake}", ignore_errors=True)
    land(f"{work}/empty", ["--source", "reference", *sorted(glob.glob(f"{work}/log/reference/*.csv"))])
    orgs = units(work)
    if how == "--small":
        small(lawpulse, work, orgs, int(sys.argv[4]), land)
        return
    seconds = float(how)
    sustained(lawpulse, work, orgs, seconds, [InfluxDb(sys.argv[4]), Datasette()])
    land(f"{work}/large", [f"{work}/log"])
    landed = events_in(lawpulse, f"{work}/large")
    lakes = [(f"{work}/empty", "empty"), (f"{work}/large", f"{landed:,} events")]
    if not shows(lawpulse, work, orgs, lakes):
        print(f"TARGET MISSED: a p95 above is not under {TARGET:g} s")
    # Last, as it removes very many files.
    disk(work, orgs, min(seconds, DISK_SECONDS))


main()
