# shellcheck shell=bash
# Background programs that our scripts start: each has a record (process id and start time), so
# that only what was started here is ever ended, and a log. Sourced by scripts/*; needs lib/say.sh.
#
# Files, all in one folder: NAME.pid holds "PID STARTTIME" (field 22 of /proc/PID/stat: a reused
# process id has another one), NAME.log what the program wrote.

start_time() {
  local stat fields
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  # The name in parentheses may hold spaces: count the fields after it. A zombie has ended; where
  # process 1 collects nobody (some containers), it stays listed.
  read -ra fields <<<"${stat##*) }"
  [[ ${fields[0]} != Z ]] && echo "${fields[19]}"
}

# daemon_pid FOLDER NAME: prints the process id while the recorded program runs, else fails.
daemon_pid() {
  local pid started
  read -r pid started 2>/dev/null <"$1/$2.pid" || return 1
  [[ $(start_time "$pid") == "$started" ]] && echo "$pid"
}

# daemon_start FOLDER NAME COMMAND...: in a session of its own, so that it outlives this shell.
daemon_start() {
  local folder=$1 name=$2
  shift 2
  mkdir -p "$folder"
  # shellcheck disable=SC2016  # for the inner shell
  setsid -f bash -c 'read -r _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ started _ </proc/$$/stat
    echo "$$ $started" >"$0.new" && mv "$0.new" "$0" && exec "$@"' \
    "$folder/$name.pid" "$@" </dev/null >>"$folder/$name.log" 2>&1
}

# daemon_stop FOLDER NAME SECONDS: SIGTERM, then SIGKILL when the time is up.
daemon_stop() {
  local folder=$1 name=$2 seconds=$3 pid
  if pid=$(daemon_pid "$folder" "$name"); then
    kill -TERM "$pid" 2>/dev/null || true
    if ! daemon_ends "$folder" "$name" "$seconds"; then
      say "$name ($pid) did not end within $seconds s: killing it"
      kill -KILL "$pid" 2>/dev/null || true
      daemon_ends "$folder" "$name" 5 || die "$name ($pid) cannot be ended"
    fi
  fi
  rm -f "$folder/$name.pid"
}

# Not our child, so there is nothing to wait on: looks 20 times a second.
daemon_ends() {
  local deadline=$((SECONDS + $3))
  while daemon_pid "$1" "$2" >/dev/null; do
    ((SECONDS < deadline)) || return 1
    sleep 0.05
  done
}

# daemon_await FOLDER NAME SECONDS WHAT CONDITION...: returns when the condition command succeeds;
# ends the script, with the log's tail, when the program dies or the time is up.
daemon_await() {
  local folder=$1 name=$2 seconds=$3 what=$4 deadline
  shift 4
  deadline=$((SECONDS + seconds))
  # The record is written by the new process itself: give it the time to.
  while [[ ! -s "$folder/$name.pid" ]] && ((SECONDS < deadline)); do sleep 0.02; done
  until "$@"; do
    if ! daemon_pid "$folder" "$name" >/dev/null; then
      rm -f "$folder/$name.pid"
      tail -n 15 "$folder/$name.log" >&2 || true
      die "$name ended before $what; its log is $folder/$name.log"
    fi
    if ((SECONDS >= deadline)); then
      tail -n 15 "$folder/$name.log" >&2 || true
      die "$name: not $what within $seconds s; its log is $folder/$name.log"
    fi
    sleep 0.1
  done
}
