#!/bin/bash
# Within a copy of this machine: installs the package, does what docs/production.md says, upgrades, removes and purges.
#
# inside.sh FOLDER: it has the page as page.sh, old/ and new/ with the package in two versions, log/ with the parts of a log, and a
# certificate.
set -Eeuo pipefail
shopt -s nullglob
cd "$1"

lake=/var/lib/lawpulse/lake
config=/etc/lawpulse/lawpulse.toml
calls=/var/log/systemctl

fail() {
    trap - ERR
    echo "inside.sh:${BASH_LINENO[0]}: $*" >&2
    for file in /var/log/lawpulse /var/log/lawpulse-relay "$calls"; do
        if [[ -e $file ]]; then echo "-- $file" >&2 && tail -20 "$file" >&2; fi
    done
    exit 1
}
trap 'fail "\`$BASH_COMMAND\` failed"' ERR

# check WHAT IS EXPECTED: two texts are the same.
check() { [[ $2 == "$3" ]] || fail "$1: $2, not $3"; }

called() { grep -qx -- "$1" "$calls" || fail "systemctl was not called: $1"; }

not_called() { ! grep -q -- "$1" "$calls" || fail "systemctl was called: $1"; }

ask() { runuser -u lawpulse -- lawpulse sql --lake "$lake" --format csv "$1" | tail -n +2; }

# The number of events, and numbers of every kind for each unit and month: of days, sets of officers, objects.
numbers() {
    local metric metrics=
    for metric in officers_active inspections cases_open; do
        metrics+=" union all select '$metric', scope, period_start, numerator, denominator, value
            from metric('$metric', '2024-01-01', '2026-01-01', 'month', 'district/*')"
    done
    lawpulse sql --lake "$1" --format csv "select 'events' as metric, '' as scope, null as period_start, count(*)::double as numerator,
        count(distinct event_id)::double as denominator, null as value from events $metrics order by 1, 2, 3"
}

push() {
    curl --silent --show-error --fail --cacert ca.pem --header "Authorization: Bearer $(<platform.token)" \
        --data-binary "@$1" 'https://lawpulse.example:8080/api/v1/events?source=native'
}

# eventually COMMAND…: it succeeds, if not at once.
eventually() {
    local attempt
    for ((attempt = 0; attempt < 300; attempt++)); do
        if "$@"; then return; fi
        sleep 0.1
    done
    fail "not within 30 s: $*"
}

has_landed() { [[ -z $(find $lake/inbox -name '*.ndjson' -o -name '*.tar') ]]; }

absent() {
    local path
    for path; do if [[ -e $path ]]; then fail "$path is there"; fi; done
}

after() {
    printf '== %s of the page is done (%d s)\n' "$1" "$SECONDS"
    if declare -F "after_$1" >/dev/null; then "after_$1"; fi
}

# -- what the page does not say of a first installation

before_the_page() {
    if getent passwd lawpulse; then fail 'this machine has the user lawpulse already'; fi
    printf '#!/bin/sh\nexit 101\n' | install -m 755 /dev/stdin /usr/sbin/policy-rc.d
    dpkg --install old/lawpulse_*.deb
    called '--system daemon-reload'
    not_called start
    rm /usr/sbin/policy-rc.d
    absent /var/lib/lawpulse
    dpkg --purge lawpulse
    called '--system daemon-reload'
    absent /etc/lawpulse /etc/prometheus/rules.d /etc/default/lawpulse{,-relay}
    rm $calls
    cp old/lawpulse_*.deb .
}

after_1() {
    called '--quiet --system start lawpulse.service'
    check 'enabled' "$(systemctl is-enabled lawpulse)" enabled
    systemd-analyze verify /usr/lib/systemd/system/lawpulse.service
    # Nobody has said yet which chats there are.
    not_called 'start lawpulse-relay'
    # Tenths of what is exposed; most that is left is the network.
    systemd-analyze security --offline=true --threshold=15 --no-pager /usr/lib/systemd/system/lawpulse.service | tail -1
    check 'owners' "$(stat -c '%U %G %a' /var/lib/lawpulse $lake $lake/pseudonym.key | tr '\n' ,)" \
        'lawpulse lawpulse 700,lawpulse lawpulse 700,lawpulse lawpulse 600,'
    check 'files of others in the lake' "$(find /var/lib/lawpulse ! -user lawpulse)" ''
    check 'the process' "$(ps -o user= -o args= -p "$(</run/lawpulse.pid)")" \
        "lawpulse /usr/bin/lawpulse serve --config $config"
    check 'the config' "$(stat -c '%U %G %a' $config)" 'root root 644'
    check 'config files' "$(dpkg-query --show --showformat='${Conffiles}\n' lawpulse | awk 'NF { print $1 }' | sort | tr '\n' ' ')" \
        "/etc/default/lawpulse /etc/default/lawpulse-relay /etc/grafana/provisioning/dashboards/lawpulse.yml \
/etc/grafana/provisioning/datasources/lawpulse.yml $config /etc/prometheus/rules.d/lawpulse.yml "
    promtool check rules /etc/prometheus/rules.d/lawpulse.yml
    for link in README.md docs/production.md docs/lake.md dashboards/runbook.md sql/README.md copyright changelog.Debian.gz; do
        [[ -s /usr/share/doc/lawpulse/$link ]] || fail "$link is missing"
    done
}

# Messages to a robot of this machine, and nobody else hears of them.
after_5() {
    check 'relay enabled' "$(systemctl is-enabled lawpulse-relay)" enabled
    systemd-analyze verify /usr/lib/systemd/system/lawpulse-relay.service
    systemd-analyze security --offline=true --threshold=15 --no-pager /usr/lib/systemd/system/lawpulse-relay.service | tail -1
    if runuser -u lawpulse -- cat /etc/lawpulse/robots/bureau.url 2>/dev/null; then fail 'the server can read the secret of a chat'; fi

    # shellcheck disable=SC2154 # It is in the environment.
    "$python" - <<'PYTHON' &
import http.server, pathlib
class Robot(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"errcode": 0, "errmsg": "ok"}')
        pathlib.Path("told").write_bytes(body)
http.server.HTTPServer(("127.0.0.1", 9999), Robot).serve_forever()
PYTHON
    local robot=$!
    echo 'http://127.0.0.1:9999/send?key=KEY' >/etc/lawpulse/robots/bureau.url
    systemctl restart lawpulse-relay
    webhook() {
        curl --silent --fail --header 'Content-Type: application/json' --data @- http://127.0.0.1:9095/operators <<'JSON'
{"version": "4", "groupKey": "a group", "status": "firing", "receiver": "operators", "groupLabels": {"alertname": "MaintenanceFailing"},
 "commonLabels": {"alertname": "MaintenanceFailing"}, "commonAnnotations": {}, "externalURL": "http://127.0.0.1:9093", "truncatedAlerts": 0,
 "alerts": [{"status": "firing", "labels": {"alertname": "MaintenanceFailing", "severity": "warning"},
   "annotations": {"summary": "维护失败。", "description": "一小时没有整理。"}, "startsAt": "2026-01-05T01:00:00Z",
   "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "", "fingerprint": "1"}]}
JSON
    }
    eventually webhook
    check 'the relay' "$(ps -o user:20= -o args= -p "$(</run/lawpulse-relay.pid)")" \
        'lawpulse-relay       /usr/bin/lawpulse relay --config /etc/lawpulse/relay.toml'
    grep -q 维护失败 told || fail "the chat was told: $(<told)"
    kill $robot
}

after_6() {
    "$python" - /etc/grafana/provisioning/*/lawpulse.yml <<'PYTHON'
import sys, yaml
dashboards, sources = (yaml.safe_load(open(path, encoding="utf-8")) for path in sys.argv[1:])
assert {source["uid"] for source in sources["datasources"]} == {"lawpulse-postgres", "lawpulse-prometheus"}
postgres = sources["datasources"][0]
assert postgres["jsonData"]["sslmode"] == "require", postgres
assert postgres["secureJsonData"] == {"password": "$LAWPULSE_GRAFANA_PASSWORD"}, postgres
import json, pathlib
for provider in dashboards["providers"]:
    boards = [json.load(open(path, encoding="utf-8")) for path in pathlib.Path(provider["options"]["path"]).glob("*.json")]
    assert len(boards) == 8 and all(board["uid"].startswith("lawpulse-") for board in boards), provider
PYTHON
    scraped() {
        curl --silent --fail --cacert ca.pem --header "Authorization: Bearer $(</etc/prometheus/lawpulse.token)" \
            https://lawpulse.example:8080/metrics | grep -q '^lawpulse_last_landed_timestamp_seconds '
    }
    # A running server takes a new token within seconds.
    eventually scraped

    # While the page takes a backup, the platform pushes on: a small body after the other, as fast as they are taken.
    mkdir bodies acknowledged
    split --lines 50 log/later.ndjson bodies/
    (
        trap - ERR
        for body in bodies/*; do
            push "$body" >/dev/null 2>&1 && mv "$body" acknowledged/ || break
        done
    ) &
    pusher=$!
    while [[ $(ls acknowledged | wc -l) -lt 20 ]]; do kill -0 $pusher && sleep 0.05; done
    cat acknowledged/* | sed -n 's/.*"event_id":"\([^"]*\)".*/\1/p' | sort -u >first
    echo "$(wc -l <first) events acknowledged before the backup"
}

# The backup has been taken and restored.
after_7() {
    wait $pusher || true
    echo "$(cat acknowledged/* | wc -l) lines acknowledged before the restore"
    check 'the restored config' "$(stat -c '%U %G %a' /etc/lawpulse/server.key)" 'root lawpulse 640'
    check 'files of others in the lake' "$(find /var/lib/lawpulse ! -user lawpulse)" ''
    curl --silent --show-error --fail --retry 30 --retry-connrefused --cacert ca.pem https://lawpulse.example:8080/healthz
    eventually has_landed
    # Each line that was acknowledged when the backup began; some are there twice.
    check 'lost events' "$(comm -23 first <(ask 'select event_id from events' | sort) | wc -l)" 0
    echo "$(ask 'select count(*) from events') events in the restored lake"

    # Everything is pushed again, as senders would, and the numbers are those of a lake that knows no backup.
    for file in log/*.ndjson; do push "$file" >/dev/null; done
    eventually has_landed
    lawpulse land --lake fresh --source reference log/reference
    lawpulse land --lake fresh log/*.ndjson
    numbers fresh >expected
    # What has left the inbox may be about to be counted.
    is_as_expected() { diff expected <(numbers $lake) >differences; }
    eventually is_as_expected
    echo "$(wc -l <expected) numbers are the same"
    runuser -u lawpulse -- lawpulse audit verify --lake $lake
    # Twenty pushes were acknowledged before the backup, and what was acknowledged has been noted.
    check 'the audit log' "$(ask "select count(*) >= 20 from audit_log where deed = 'push'")" true
    rm -r /var/lib/lawpulse/lake.before

    # Section 8 upgrades to a version whose config file is another one, while the one here was changed.
    echo "# changed here" >>$config
    rm lawpulse_*.deb && cp new/lawpulse_*.deb .
    rm $calls
}

after_8() {
    check 'the version' "$(dpkg-query --show --showformat='${Version} ${Status}' lawpulse)" "$(dpkg-deb --field new/lawpulse_*.deb Version) install ok installed"
    called '--quiet --system restart lawpulse.service'
    called 'try-restart lawpulse-relay.service'
    check 'the changed config' "$(tail -1 $config)" '# changed here'
    grep -q 'of the new version' $config.dpkg-dist
    curl --silent --show-error --fail --retry 30 --retry-connrefused --cacert ca.pem https://lawpulse.example:8080/healthz
    check 'events' "$(ask 'select count(*) from events')" "$(awk -F, '$1 == "events" { print int($4) }' expected)"
}

after_the_page() {
    dpkg --remove lawpulse
    called 'stop lawpulse.service'
    called 'stop lawpulse-relay.service'
    absent /usr/bin/lawpulse /usr/lib/systemd/system/lawpulse{,-relay}.service /usr/share/lawpulse
    check 'what is kept' "$(tail -1 $config), $(find $lake/events -name '*.parquet' | wc -l | awk '{ print ($1 > 0) }')" \
        '# changed here, 1'

    dpkg --purge lawpulse 2>told
    grep -q "the lake stays in $lake" told || fail "purge did not tell where the lake stays: $(<told)"
    [[ -s $lake/events/_delta_log/00000000000000000000.json ]] || fail 'purge took the lake'
    absent $config /etc/prometheus/rules.d /etc/default/lawpulse{,-relay}
    # The key is not the package's.
    [[ -e /etc/lawpulse/server.key ]] || fail 'purge took the key'

    # Installed again it has its records again; and when nothing was ever landed or asked, purge leaves nothing.
    apt install ./lawpulse_*.deb
    curl --silent --show-error --fail --retry 30 --retry-connrefused http://127.0.0.1:8080/healthz
    check 'events' "$(ask 'select count(*) from events')" "$(awk -F, '$1 == "events" { print int($4) }' expected)"
    systemctl stop lawpulse
    rm -r /var/lib/lawpulse
    systemctl start lawpulse
    curl --silent --show-error --fail --retry 30 --retry-connrefused http://127.0.0.1:8080/healthz
    dpkg --purge lawpulse
    absent /var/lib/lawpulse
}

step() {
    printf '== %s (%d s)\n' "$1" "$SECONDS"
    "$1"
}

page() { source ./page.sh; }

step before_the_page
step page
# shellcheck disable=SC2154 # It is the page's last line.
[[ $the_page_has -gt 30 ]] || fail "the page has $the_page_has commands"
step after_the_page
printf '== whole (%d s)\n' "$SECONDS"
