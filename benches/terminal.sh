#!/usr/bin/env bash
# What a person at the terminal feels: paint, bytes, CPU, memory, keys, exits.
#
#   TTY_BENCH=path/to/tty_bench.py benches/terminal.sh [path/to/opsroom]
#
# tty_bench.py runs any terminal program in a pseudo-terminal and prints its
# figures as JSON lines (python3 with pyte). Three situations are measured: one
# service that is well, the practice environment, and 10,000 services.
set -euo pipefail
cd "$(dirname "$0")/.."
bench=${TTY_BENCH:?set it to the path of tty_bench.py}
opsroom=$(realpath "${1:-target/release/opsroom}")
runs=${RUNS:-5}
scratch=$(mktemp -d)
trap 'kill "$server" 2>/dev/null; rm -rf "$scratch"' EXIT
umask 077
export HOME=$scratch XDG_STATE_HOME=$scratch/state TMPDIR=$scratch

# A service that is always well, on a port that the kernel chose.
python3 - "$scratch/port" <<'PY' &
import http.server, os, sys
class Well(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Well)
with open(sys.argv[1] + ".new", "w") as file:
    file.write(str(server.server_port))
os.rename(sys.argv[1] + ".new", sys.argv[1])
server.serve_forever()
PY
server=$!
until [ -s "$scratch/port" ]; do read -rt 0.05 <> <(:) || :; done
well="http://127.0.0.1:$(cat "$scratch/port")"

printf '[service.till]\nhealth = "%s/healthz"\n' "$well" >"$scratch/one.toml"
{
  printf '[poll]\nevery = "1h"\n'
  for ((i = 0; i < 10000; i++)); do
    printf '[service.s%05d]\nhealth = "%s/%d"\n' "$i" "$well" "$i"
  done
} >"$scratch/many.toml"

measure() { # NAME MEASURES READY COMMAND...
  local name=$1 measures=$2 ready=$3
  shift 3
  printf '== %s\n' "$name"
  python3 "$bench" --label "$name" --runs "$runs" --measures "$measures" --ready "$ready" \
    --keys 'j,k' --expect '~' --expect '~' --quit q -- "$@" | grep '"measure": *"median"\|"measure": *"exit"' || true
}
measure "one service, 120x40" startup,steady,exit ' ok .*till' "$opsroom" --config "$scratch/one.toml"
measure "practice, 120x40" startup,steady,keys,exit 'ok .*payments' "$opsroom" demo
measure "10,000 services, 120x40" startup,keys 's00001' "$opsroom" --config "$scratch/many.toml"
