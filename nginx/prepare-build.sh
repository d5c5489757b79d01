#!/bin/bash
# Gets a base image ready to build the module: compiler, libraries, and the sources of exactly the
# NGINX in it. Runs as root in the build stage of nginx/Dockerfile. Writes /build/nginx-source.env:
# NGINX_SOURCE is the source tree and NGINX_ARGUMENTS what it is configured with, or nothing where
# nginx-dev's is found without help. Ends with 1 and a message. $1: SHA-256 of nginx.org's archive, or empty to rely on TLS alone.
set -euo pipefail
SHA256=${1:-}
BUNDLED=/usr/share/nginx/src

die() {
  echo "prepare-build: $*" >&2
  exit 1
}

# What is missing only: an image that has all of it needs no network.
install_missing() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  apt-get -qq update
  DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install "${missing[@]}" >/dev/null
}

fetch_source() { # VERSION
  local archive=nginx-$1.tar.gz
  install_missing ca-certificates curl
  curl -fsS --proto '=https' --tlsv1.2 --retry 3 -o "/build/$archive" "https://nginx.org/download/$archive"
  if [[ -n $SHA256 ]]; then
    echo "$SHA256  /build/$archive" | sha256sum --check --status ||
      die "$archive: expected SHA-256 $SHA256, found $(sha256sum "/build/$archive" | cut -d' ' -f1)"
  else
    echo "prepare-build: $archive came over TLS only; pin it with NGINX_SHA256=$(sha256sum "/build/$archive" | cut -d' ' -f1)" >&2
  fi
  tar -xzf "/build/$archive" -C /build
}

command -v nginx >/dev/null || die "the base image has no nginx"
version=$(nginx -v 2>&1 | sed -n 's|^nginx version: nginx/\([0-9.]*\).*|\1|p')
[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || die "\`nginx -v\` names no version: $(nginx -v 2>&1)"

install_missing g++ cmake ninja-build libpcre2-dev libssl-dev zlib1g-dev
: >/build/nginx-source.env
if grep -qs "\"$version\"" "$BUNDLED/src/core/nginx.h"; then
  exit 0
fi
fetch_source "$version"
# That build's own arguments, quoted for a shell by NGINX itself: the module has to agree with them.
{
  printf 'NGINX_SOURCE=%q\n' "/build/nginx-$version"
  printf 'NGINX_ARGUMENTS=%q\n' "$(nginx -V 2>&1 | sed -n 's/^configure arguments: //p')"
} >/build/nginx-source.env
