# shellcheck shell=bash
# What scripts/quickstart does, in the process runtime, and what both of its runtimes share. Sourced
# there; uses its $state (folder), $port, $bin. Everything it starts is recorded in $state, so that
# `--down` ends exactly that.
# shellcheck disable=SC2154  # state, port, bin: see above

step() { printf '\n\033[1m== %s\033[0m\n' "$1"; }

export BGCTL_RUN_DIR=$state/run

bgctl() { "$bin/bgctl" --config "$state/bgctl.json" "$@"; }

# The Docker half has its own:
load_host=127.0.0.1 # where the clients of the load go
load_port=$port
image() { echo "$1"; }

# fill TEMPLATE: its @WORDS@ replaced.
fill() {
  local user=''
  [[ $(id -u) != 0 ]] || user='user www-data;'
  sed -e "s|@MODULE@|$bin/ngx_http_bluegreen_module.so|" -e "s|@STATE@|$state|g" \
    -e "s|@USER@|$user|" -e "s|@PORT@|$port|" -e "s|@STATUS_PORT@|$((port + 1))|" \
    -e "s|@BLUE_PORT@|$((port + 2))|" -e "s|@GREEN_PORT@|$((port + 3))|" "$1"
}

start_process_stack() {
  step "NGINX with the module, on 127.0.0.1:$port"
  mkdir -p "$state"/{control,telemetry,temp,traces}
  fill nginx/quickstart.conf.in >"$state/nginx.conf"
  cat >"$state/bgctl.json" <<JSON
{
  // Written by scripts/quickstart; \`bgctl --config\` this file.
  "control": "$state/control/control", "telemetry": "$state/telemetry/telemetry",
  "trace_dir": "$state/traces",
  "apps": {"app": {"runtime": "process", "keep_old": "10m",
    "process": {
      "command": ["/usr/bin/python3", "-B", "$PWD/compose/app/app.py", "--port", "{port}", "--color", "{color}",
                  "--version", "{image}", "--database", "sqlite:///$state/app.db"],
      "ports": {"blue": $((port + 2)), "green": $((port + 3))}}}}
}
JSON
  bgctl init --app app
  nginx -p "$state" -c "$state/nginx.conf" -e "$state/error.log"
  echo "NGINX runs, pid $(cat "$state/nginx.pid")"
}

# deploy_under_load IMAGE: the deploy's verdict, then what the clients saw of it.
deploy_under_load() {
  local loadgen begin end
  "$bin/loadgen" --host "$load_host" --port "$load_port" --clients 16 --method POST --body 512 --seconds 600 \
    --record "$state/load.csv" >"$state/load.json" &
  loadgen=$!
  until (: <"/dev/tcp/$load_host/$load_port") 2>/dev/null; do :; done
  begin=$(monotonic_ns)
  local code=0
  bgctl deploy "$1" --id under-load || code=$?
  end=$(monotonic_ns)
  # Some load on the new color before it ends, so that a late request of the old one would show.
  timeout 1 tail -f /dev/null || true
  kill -TERM "$loadgen"
  wait "$loadgen" || true
  local color
  color=$(json_field active <"$state/traces/app/under-load/verdict.json")
  echo "$begin $end $color" >"$state/flips"
  "$bin/loadgen" judge --record "$state/load.csv" --flips "$state/flips" >"$state/judged.json"
  /usr/bin/python3 scripts/lib/quickstart_report.py "$state"
  return "$code"
}

monotonic_ns() { /usr/bin/python3 -c 'import time; print(time.monotonic_ns())'; }

json_field() { /usr/bin/python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }

how_to_look() {
  cat <<TEXT

Look at it:
  curl -i http://127.0.0.1:$port/                            the application, through NGINX
  curl -s http://127.0.0.1:$((port + 1))/bluegreen/status             the status endpoint
  export BGCTL_RUN_DIR=$BGCTL_RUN_DIR BGCTL_CONFIG=$state/bgctl.json
  $bin/bgctl status                 what serves; also: history, rollback, doctor
  scripts/quickstart --down                                  removes all of it
TEXT
}

# quickstart_down STATE: ends what is recorded there and removes it; says so when there is nothing.
quickstart_down() {
  local folder=$1 pid process name
  if [[ ! -d $folder ]]; then
    echo "nothing to remove: $folder is not there"
    return 0
  fi
  step "removing what was made in $folder"
  if [[ -f $folder/docker ]]; then
    # shellcheck source=scripts/lib/quickstart_docker.sh
    source scripts/lib/quickstart_docker.sh
    stop_compose_stack
  fi
  # NGINX, the colors' programs, deploys that wait for keep_old, an interrupted load: each names a
  # file of ours on its command line.
  for process in /proc/[0-9]*; do
    pid=${process#/proc/}
    end_process "$pid" QUIT "$folder/nginx.conf"
    for name in bgctl.json app.db load.csv; do end_process "$pid" TERM "$folder/$name"; done
  done
  rm -rf "$folder"
}

# end_process PID SIGNAL WORD: only if its command line has WORD (a pid may be another's by now);
# returns when it is gone.
end_process() {
  local pid=$1
  grep -qsF -- "$3" "/proc/$pid/cmdline" || return 0
  kill -s "$2" "$pid" 2>/dev/null || return 0
  timeout 15 tail --pid="$pid" -f /dev/null || kill -KILL "$pid" 2>/dev/null || true
}
