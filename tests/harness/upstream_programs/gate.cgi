#!/bin/sh
# A CGI program under fcgiwrap: asks the gate (GATE) for the same path and hands its answer on.
set -eu
body=$(curl -sf "$GATE$PATH_INFO")
printf 'Status: 200\r\nX-Color: %s\r\n\r\n%s\n' "$COLOR" "$body"
