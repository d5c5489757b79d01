#!/bin/sh
# Fails when the program that users run has anything of the kill points in it, or when the tests'
# own program, which must have them all, has not: then this test would see nothing.
#
#   no_kill_points.sh BGCTL BGCTL_KILLABLE
set -eu
here=$(cd "$(dirname "$0")" && pwd)
points=$(grep -rhoE 'BLUEGREEN_KILL_POINT\("[^"]+"\)' "$here" --include='*.cpp' | cut -d'"' -f2 | sort -u)
[ -n "$points" ] || { echo "no source has a kill point"; exit 1; }
status=0
for word in BLUEGREEN_KILL kill_point; do
  if grep -qaF "$word" "$1"; then
    echo "$1: has '$word' in it"
    status=1
  fi
done
echo "$points" | while IFS= read -r point; do
  if ! grep -qaF "$point" "$2"; then
    echo "$2: has no kill point '$point'"
    exit 1
  fi
  if grep -qaF "$point" "$1"; then
    echo "$1: has the kill point '$point'"
    exit 1
  fi
done || status=1
exit $status
