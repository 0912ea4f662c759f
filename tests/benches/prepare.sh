# Sourced by the benches: the binary, the Python, a folder to work in, and simulated events in FOLDER/log.
# Reads `events` (empty for none) and `format`; sets `lawpulse` and `work`; `bench FILE ARGS…` runs the Python, which finds what the
# benches have in common (clients.py, load.py, servers.py) beside it.

work=${LAWPULSE_BENCH_DIR:-}
own_folder=
# Several gigabytes: a folder of our own goes with us, one that was named stays for the next run.
if [ -z "$work" ]; then own_folder=$(mktemp -d) && work=$own_folder; fi
bench_id=

leave() {
    # The Python stops the servers that it has started.
    if [ -n "$bench_id" ]; then kill "$bench_id" 2>/dev/null && wait "$bench_id" || true; fi
    if [ -n "$own_folder" ]; then rm -rf "$own_folder"; fi
}
trap leave EXIT

lawpulse=${LAWPULSE_BINARY:-}
if [ -z "$lawpulse" ]; then
    cargo build --release --locked --quiet -p lawpulse
    lawpulse=${CARGO_TARGET_DIR:-$PWD/target}/release/lawpulse
fi

venv=${LAWPULSE_CACHE:-$HOME/.cache/lawpulse}/bench-venv
if ! cmp -s tests/benches/requirements.txt "$venv/requirements.txt"; then
    python3 -m venv --clear "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement tests/benches/requirements.txt
    cp tests/benches/requirements.txt "$venv/requirements.txt"
fi

echo "# machine: $(nproc) cores, $(free -g | awk '/^Mem/ {print $2}') GiB, $(uname -m); load $(cut -d ' ' -f 1-3 /proc/loadavg)"
if [ -n "$events" ] && [ ! -d "$work/log" ]; then
    "$lawpulse" simulate --profile scale --events "$events" --format "$format" --out "$work/log"
fi

bench() {
    PYTHONPATH=tests/benches "$venv/bin/python" -B "$@" &
    bench_id=$!
    wait "$bench_id"
    bench_id=
}
