#!/bin/bash
# Packages a binary and tries the package in a copy of this machine: run.sh BINARY PYTHON FOLDER
#
# The copy is an overlay of / with processes and a network of its own, so that nothing here changes, and the ports of the package
# are free. Ends with 77, and says why, where that is not permitted.
set -euo pipefail
binary=$(realpath "$1") python=$2 folder=$(realpath "$3")
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")

skip() {
    echo "skipped: $1; the package is not tried here" >&2
    exit 77
}
((EUID == 0)) || skip 'only root can install packages'
mkdir -p "$folder"/{upper,work,root}
unshare --mount --pid --net --fork bash -euc '
    mount --types overlay --options "lowerdir=/,upperdir=$1/upper,workdir=$1/work" overlay "$1/root"
    mount --types proc proc "$1/root/proc"
' - "$folder" 2>"$folder/why" || skip "no overlay of / can be mounted ($(tr '\n' ' ' <"$folder/why"))"

say() { printf '== %s (%d s)\n' "$1" "$SECONDS"; }

say packaging
strip -o "$folder/lawpulse" "$binary"
try=$folder/upper/srv/try
mkdir -p "$try"/{old,new}
LAWPULSE_BINARY=$folder/lawpulse "$here/../../../packaging/build" "$try/old" --fast
version=$(dpkg-deb --field "$try"/old/lawpulse_*.deb Version)
[[ $(dpkg-parsechangelog --file "$here/../../../packaging/debian/changelog" --show-field Version) == "$version" ]] ||
    { echo "packaging/debian/changelog does not begin with $version" >&2 && exit 1; }

say 'a second version'
dpkg-deb --raw-extract "$try"/old/lawpulse_*.deb "$folder/tree"
sed -i "s/^Version: .*/&+next/" "$folder/tree/DEBIAN/control"
echo '# of the new version' >>"$folder/tree/etc/lawpulse/lawpulse.toml"
dpkg-deb --root-owner-group -Znone --build "$folder/tree" "$try/new" >/dev/null
rm -r "$folder/tree"

say 'a log and a certificate'
"$folder/lawpulse" simulate --profile scale --events 8000 --officers 200 --orgs 8 --out "$try/log"
split --lines 2000 "$try"/log/events-00000.ndjson "$try/log/part-"
mv "$try/log/part-aa" "$try/log/history.ndjson"
mv "$try/log/part-ab" "$try/log/today.ndjson"
cat "$try"/log/part-* >"$try/log/later.ndjson"
rm "$try"/log/events-*.ndjson "$try"/log/part-*
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=lawpulse.example \
    -addext subjectAltName=DNS:lawpulse.example -keyout "$try/server.key" -out "$try/server.pem" 2>/dev/null
cp "$try/server.pem" "$try/ca.pem"
"$python" "$here/page.py" "$here/../../../docs/production.md" >"$try/page.sh"
install -m 755 "$here/inside.sh" "$try/inside.sh"
mkdir -p "$folder/upper/usr/bin"
cp /usr/bin/systemctl "$folder/upper/usr/bin/systemctl.real"
install -m 755 "$here/systemctl" "$folder/upper/usr/bin/systemctl"

exec unshare --mount --pid --net --fork --kill-child bash -euc '
    folder=$1 python=$2
    root=$folder/root
    mount --types overlay --options "lowerdir=/,upperdir=$folder/upper,workdir=$folder/work" overlay "$root"
    mount --types proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    mount --types tmpfs --options mode=755 tmpfs "$root/run"
    mount --types tmpfs --options mode=1777 tmpfs "$root/tmp"
    # Debian'\''s scripts look for it to know whether systemd runs.
    mkdir -p "$root/run/systemd/system"
    # It may be on a file system of its own, which the overlay does not show.
    mkdir -p "$root/srv/venv"
    mount --bind "$(dirname "$(dirname "$python")")" "$root/srv/venv"
    ip link set lo up
    echo "127.0.0.1 localhost lawpulse.example" >"$root/etc/hosts"
    # Or the pages of all packages are indexed at each step.
    rm -f "$root/var/lib/man-db/auto-update"
    # As an unattended upgrade does: a config file that was changed here stays.
    echo "Dpkg::Options { \"--force-confold\"; };" >"$root/etc/apt/apt.conf.d/90keep"
    exec chroot "$root" /usr/bin/env --ignore-environment PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
        DEBIAN_FRONTEND=noninteractive python=/srv/venv/bin/python /srv/try/inside.sh /srv/try
' - "$folder" "$python"
