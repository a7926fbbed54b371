#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Servers as the distribution packages them, each in a zone under the default sandbox with an app file as its user would
# write it: deployed, asked by a real client from outside, and switched to a second release under a light load.
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"

# Where a machine has its releases and its data; the world's own directory lies below /run.
PLACE=/mnt

needs() {
    local program
    for program; do
        command -v "$program" >/dev/null || skip "$program is not installed: tools/deps compat"
    done
}

# In the test's own subshell, so that it is gone after it.
ready() {
    mount -t tmpfs -o mode=755 none "$PLACE"
    trap 'ended $?' EXIT
    mkdir "$PLACE/srv" "$PLACE/data"
    world_net
}

ended() {
    [ "$1" = 0 ] || [ "$1" = 77 ] || tail -n 25 "$WORLD"/state/zones/*/log
    kill_agent
    umount -l "$PLACE"
    exit "$1"
}

kill_agent() {
    [ -z "${AGENT:-}" ] || agent_kill9 2>/dev/null
}

# release APP RELEASE FILE: a file of a release, from stdin.
release() {
    mkdir -p "$PLACE/srv/$1/$2"
    cat >"$PLACE/srv/$1/$2/$3"
    chmod 755 "$PLACE/srv/$1/$2/$3"
}

# Runs a client's command over and over until load_stop; one that fails is counted.
load() {
    rm -f "$WORLD/stop" "$WORLD/load"
    {
        local good=0 bad=0
        while [ ! -e "$WORLD/stop" ]; do
            if "$@" >"$WORLD/load.said" 2>&1; then
                good=$((good + 1))
            else
                bad=$((bad + 1))
                cp "$WORLD/load.said" "$WORLD/load.bad"
            fi
        done
        echo "$good $bad" >"$WORLD/load"
    } &
    sleep 0.2
}

load_stop() {
    local good bad
    touch "$WORLD/stop"
    wait_for 10 test -s "$WORLD/load"
    read -r good bad <"$WORLD/load"
    expect_eq 0 "$bad" "requests that failed, of $((good + bad)): $(cat "$WORLD/load.bad" 2>/dev/null)"
    [ "$good" -ge 5 ] || fail "only $good requests"
    echo "$good requests, none failed"
}

# The second release under load, and what the client sees then.
switch_under_load() {
    local app=$1
    shift
    load "$@"
    bg deploy "$app" v2
    sleep 0.2
    load_stop
}

page() {
    on_client curl -sf -m 5 "$URL4$1"
}

is_default() {
    expect_match 'Seccomp:.2' "$(grep '^Seccomp:' "/proc/$(bg status "$1" --json | json .zones.blue.pid)/status")" "the filter"
}

test_nginx() {
    needs nginx curl
    ready
    local name
    for name in v1 v2; do
        release nginx "$name" index.html <<<"this is $name"
        # Debian's own file, but for the site and what only root can do.
        sed -e '/^user /d' -e "s|include /etc/nginx/sites-enabled.*|server { listen 80; listen [::]:80; root $PLACE/srv/nginx/$name; }|" \
            /etc/nginx/nginx.conf | release nginx "$name" nginx.conf
        seq 1 200000 | release nginx "$name" large
    done
    app_conf nginx <<EOF
[app]
name = nginx
user = www-data
run = /usr/sbin/nginx -c $PLACE/srv/nginx/%r/nginx.conf -g "daemon off\x3b"
stop_signal = SIGQUIT
[ports]
http = 80 -> 80/tcp
[files]
state = $PLACE/data/log-%z -> /var/log/nginx | $PLACE/data/lib-%z -> /var/lib/nginx
[health]
http = :80/
interval = 200ms
EOF
    agent_start
    bg deploy nginx v1
    is_default nginx
    expect_eq "this is v1" "$(page /)" "page"
    expect_eq "$(seq 1 200000 | cksum)" "$(page /large | cksum)" "a large file"
    expect_eq "this is v1" "$(on_client curl -sf -m 5 "$URL6/")" "page by IPv6"
    switch_under_load nginx on_client curl -sf -m 5 "$URL4/"
    expect_eq "this is v2" "$(page /)" "page"
    grep -q 'GET / HTTP' "$PLACE/data/log-blue/access.log" || fail "no access log"
    [ ! -s "$PLACE/data/log-blue/error.log" ] || fail "nginx complains: $(cat "$PLACE/data/log-blue/error.log")"
    # What it wants to complain of before it has read its configuration.
    expect_no_match 'emerg|alert|Permission denied|Read-only' "$(cat "$WORLD/state/zones/nginx.blue/log")" "nginx's own words"
}

query() {
    on_client env PGCONNECT_TIMEOUT=5 psql -X -q -A -t -v ON_ERROR_STOP=1 -h 203.0.113.10 -U postgres -c "$1" postgres
}

test_postgresql() {
    local bin name
    needs psql
    bin=$(find /usr/lib/postgresql/*/bin -name postgres 2>/dev/null | sort -V | tail -n 1)
    [ -n "$bin" ] || skip "postgresql is not installed: tools/deps compat"
    bin=$(dirname "$bin")
    ready
    for name in v1 v2; do
        release db "$name" start <<EOF
#!/bin/sh
set -e
if [ ! -s /var/lib/postgresql/data/PG_VERSION ]; then
    $bin/initdb -N -D /var/lib/postgresql/data -A trust -E UTF8 --locale=C.UTF-8 >/dev/null
    echo "host all all all trust" >>/var/lib/postgresql/data/pg_hba.conf
fi
mkdir -p /run/postgresql
exec $bin/postgres -D /var/lib/postgresql/data -c listen_addresses=* -c cluster_name=$name -k /run/postgresql
EOF
    done
    app_conf db <<EOF
[app]
name = db
user = postgres
run = $PLACE/srv/db/%r/start
stop_signal = SIGINT
[ports]
sql = 5432 -> 5432/tcp
[files]
state = $PLACE/data/db-%z -> /var/lib/postgresql
[health]
exec = $bin/pg_isready -q -h /run/postgresql
interval = 200ms
EOF
    agent_start
    bg deploy db v1
    is_default db
    query "create table numbers as select n, md5(n::text) as digest from generate_series(1, 100000) n"
    query "create index on numbers (digest)"
    query "vacuum analyze numbers; checkpoint" 2>/dev/null || { query "vacuum analyze numbers" && query checkpoint; }
    expect_eq 100000 "$(query "set max_parallel_workers_per_gather = 2; set parallel_setup_cost = 0; set parallel_tuple_cost = 0;
        set min_parallel_table_scan_size = 0; select count(*) from numbers")" "rows, counted in parallel"
    expect_eq 5 "$(query "select n from numbers where digest = md5('5')")" "a row by its index"
    expect_match '^jit|^[0-9.]+$' "$(query "set jit = on; set jit_above_cost = 0; select sum(sqrt(n)) from numbers")" "sum"
    switch_under_load db query "select 1"
    expect_eq v2 "$(query "show cluster_name")" "release"
    bg rollback db
    expect_eq 100000 "$(query "select count(*) from numbers")" "rows after a rollback"
    # The first check may come while it starts.
    expect_no_match 'FATAL|PANIC|could not|Permission|not permitted' \
        "$(grep -v 'the database system is starting up' "$WORLD/state/zones/db.blue/log")" "the server's own words"
}

redis() {
    on_client timeout 5 redis-cli -h 203.0.113.10 "$@"
}

redis_is() {
    [ "$(redis "${@:2}")" = "$1" ]
}

test_redis() {
    needs redis-server redis-cli
    ready
    # Debian's own file, and what one changes in it to be reached and to be run by a supervisor.
    cat >"$PLACE/srv/start" <<'EOF'
#!/bin/sh
exec /usr/bin/redis-server /etc/redis/redis.conf --daemonize no --supervised systemd --bind '*' '-::*' \
    --protected-mode no --logfile '' --pidfile /run/redis.pid --databases "1${1#v}"
EOF
    chmod 755 "$PLACE/srv/start"
    app_conf redis <<EOF
[app]
name = redis
user = redis
run = $PLACE/srv/start %r
[ports]
redis = 6379 -> 6379/tcp
[files]
state = $PLACE/data/redis-%z -> /var/lib/redis
[health]
tcp = :6379
notify = yes
interval = 200ms
EOF
    agent_start
    bg deploy redis v1
    is_default redis
    redis_is OK set greeting hello || fail "set: $(redis set greeting hello)"
    redis_is hello get greeting || fail "get: $(redis get greeting)"
    redis_is "Background saving started" bgsave || fail "bgsave"
    wait_for 5 test -s "$PLACE/data/redis-blue/dump.rdb"
    redis_is 42 eval 'return 6 * 7' 0 || fail "Lua"
    switch_under_load redis redis_is PONG ping
    redis_is 12 config get databases || [[ $(redis config get databases) == *12* ]] || fail "not the second release"
    expect_no_match "Can't|Failed|denied|not permitted" "$(grep -v overcommit "$WORLD/state/zones/redis.blue/log")" "its own words"
}

test_node() {
    needs node curl
    ready
    local node name
    node=$(command -v node)
    # Versions that live in somebody's home are another story.
    [[ $(readlink -f "$node") != /root/* && $(readlink -f "$node") != /home/* ]] || skip "node is installed in a home directory"
    for name in v1 v2; do
        release node "$name" server.js <<'EOF'
const http = require('http'), fs = require('fs'), os = require('os'), path = require('path');
const { Worker } = require('worker_threads'), { pbkdf2, randomUUID } = require('crypto'), { execFile } = require('child_process');
const release = path.basename(__dirname);
const answers = {
    '/': done => done(null, `node ${release}`),
    '/threads': done => new Worker('let s = 0; for (let i = 0; i < 5e6; i++) s += i; require("worker_threads").parentPort.postMessage(s)',
        { eval: true }).on('message', s => done(null, `${s}`)).on('error', done),
    '/pool': done => pbkdf2(randomUUID(), 'salt', 1000, 32, 'sha256', (e, key) => done(e, `${key.length}`)),
    '/file': done => { const f = path.join(os.tmpdir(), randomUUID()); fs.writeFile(f, 'kept', e => e ? done(e) : fs.readFile(f, 'utf8', done)); },
    '/child': done => execFile('/bin/echo', ['child'], done),
    '/wasm': done => WebAssembly.instantiate(Uint8Array.from(
        [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 127, 3, 2, 1, 0, 7, 5, 1, 1, 97, 0, 0, 10, 6, 1, 4, 0, 65, 42, 11]))
        .then(m => done(null, `${m.instance.exports.a()}`), done),
    '/watch': done => { const w = fs.watch(os.tmpdir(), () => { w.close(); done(null, 'seen'); }); fs.writeFile(path.join(os.tmpdir(), 'w'), '', () => {}); },
};
http.createServer((request, response) => {
    const answer = answers[request.url];
    if (!answer) { response.statusCode = 404; return response.end(); }
    answer((error, text) => { response.statusCode = error ? 500 : 200; response.end(error ? `${error}` : text); });
}).listen(3000, '::');
process.on('SIGTERM', () => process.exit(0));
EOF
    done
    app_conf node <<EOF
[app]
name = node
user = web
run = $node $PLACE/srv/node/%r/server.js
[ports]
http = 80 -> 3000/tcp
[health]
http = :3000/
interval = 200ms
EOF
    agent_start
    bg deploy node v1
    is_default node
    expect_eq "node v1" "$(page /)" "page"
    expect_eq "12499997500000" "$(page /threads)" "a worker thread"
    expect_eq "32" "$(page /pool)" "the thread pool"
    expect_eq "kept" "$(page /file)" "a file in the directory for such"
    expect_eq "child" "$(page /child)" "a child process"
    expect_eq "42" "$(page /wasm)" "WebAssembly"
    expect_eq "seen" "$(page /watch)" "a watch"
    switch_under_load node on_client curl -sf -m 5 "$URL4/"
    expect_eq "node v2" "$(page /)" "page"
}

test_python() {
    needs curl
    # The distribution's, not one of a home directory.
    [ -x /usr/bin/python3 ] || skip "python3 is not installed: tools/deps compat"
    ready
    local name
    for name in v1 v2; do
        release python "$name" server.py <<'EOF'
import http.server, multiprocessing, os, pathlib, socketserver, sqlite3, subprocess, tempfile, threading
RELEASE = pathlib.Path(__file__).parent.name

def square(n):
    return n * n

def pool():
    with multiprocessing.Pool(2) as workers:
        return sum(workers.map(square, range(10)))

def database():
    with sqlite3.connect("/var/lib/python/data.sqlite") as connection:
        connection.execute("pragma journal_mode = wal")
        connection.execute("create table if not exists visits (at integer)")
        connection.execute("insert into visits values (1)")
        return connection.execute("select count(*) > 0 from visits").fetchone()[0]

def file():
    with tempfile.NamedTemporaryFile() as f:
        f.write(b"kept")
        f.flush()
        return open(f.name).read()

ANSWERS = {"/": lambda: f"python {RELEASE}", "/pool": pool, "/database": database, "/file": file,
           "/child": lambda: subprocess.run(["/bin/echo", "child"], capture_output=True, text=True, check=True).stdout.strip(),
           "/threads": lambda: threading.active_count() > 1, "/user": lambda: os.path.expanduser("~") != "~"}

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        try:
            body = str(ANSWERS[self.path]()).encode()
            self.send_response(200)
        except Exception as error:
            body = repr(error).encode()
            self.send_response(500)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

http.server.ThreadingHTTPServer(("", 8000), Handler).serve_forever()
EOF
    done
    app_conf python <<EOF
[app]
name = python
user = web
run = /usr/bin/python3 $PLACE/srv/python/%r/server.py
[ports]
http = 80 -> 8000/tcp
[files]
state = $PLACE/data/python -> /var/lib/python
[health]
http = :8000/
interval = 200ms
EOF
    agent_start
    bg deploy python v1
    is_default python
    expect_eq "python v1" "$(page /)" "page"
    expect_eq 285 "$(page /pool)" "processes with shared semaphores"
    expect_eq 1 "$(page /database)" "a database in the state directory"
    expect_eq kept "$(page /file)" "a temporary file"
    expect_eq child "$(page /child)" "a child process"
    expect_eq True "$(page /threads)" "threads"
    switch_under_load python on_client curl -sf -m 5 "$URL4/"
    expect_eq "python v2" "$(page /)" "page"
    # Both zones have the same one.
    expect_eq 1 "$(page /database)" "the database, from the other zone"
}

run_tests
