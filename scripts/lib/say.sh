# shellcheck shell=bash
# How our scripts talk: progress and errors on stderr, results on stdout. Sourced by scripts/*,
# in the caller's shell. `die` ends the caller with 1; nothing here fails.

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

die() {
  say "error: $*"
  exit 1
}

need_root() {
  [[ $EUID -eq 0 ]] || die "$1 needs root; run it with sudo"
}
