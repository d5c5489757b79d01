#!/usr/bin/env bash
# Runs the status page's tests in a headless Chromium. Called by ctest (label e2e) and by hand:
#   tests/page/run.sh STATUS_PAGE_HPP FOLDER [SCRIPT]
# FOLDER takes Playwright's library, as package-lock.json pins it (npm ci, once); the checkout stays
# clean. Ends with 77, which ctest takes for "skipped", when Node or Chromium is not installed.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if (($# < 2)); then
  echo "usage: $0 STATUS_PAGE_HPP FOLDER [SCRIPT]" >&2
  exit 2
fi
export BLUEGREEN_STATUS_PAGE=$1 BLUEGREEN_PAGE_MODULES=$2
export BLUEGREEN_CHROMIUM=${BLUEGREEN_CHROMIUM:-/usr/bin/chromium}
script=${3:-}

for program in node npm "$BLUEGREEN_CHROMIUM"; do
  if ! command -v "$program" >/dev/null; then
    echo "$program: not installed, expected what scripts/packages/e2e.txt lists" >&2
    exit 77
  fi
done

mkdir -p "$BLUEGREEN_PAGE_MODULES"
if ! cmp -s "$here/package-lock.json" "$BLUEGREEN_PAGE_MODULES/package-lock.json" ||
  [[ ! -d $BLUEGREEN_PAGE_MODULES/node_modules/playwright-core ]]; then
  cp "$here/package.json" "$here/package-lock.json" "$BLUEGREEN_PAGE_MODULES/"
  npm ci --prefix "$BLUEGREEN_PAGE_MODULES" --ignore-scripts --no-audit --no-fund --silent
fi
if [[ -n $script ]]; then
  exec node "$here/$script"
fi
exec node --test "$here/page_test.mjs"
