# shellcheck shell=bash
# The NGINX of another Debian suite, unpacked beside this system and runnable on it. Sourced by
# scripts/nginx-versions; needs lib/say.sh and lib/packages.sh. Ends the caller with a message.

# fetch_nginx SUITE CACHE: prints the version; CACHE/VERSION has src (headers and ./configure) and
# nginx (starts the packaged binary). What CACHE/SUITE names is taken without asking the mirror.
fetch_nginx() {
  local suite=$1 cache=$2 version
  if [[ -s $cache/$suite ]] && version=$(<"$cache/$suite") && [[ -x $cache/$version/nginx ]]; then
    echo "$version"
    return
  fi
  local work
  work=$(mktemp -d "$cache/fetch.XXXXXX")
  say "fetching the NGINX of Debian $suite"
  fetch_package "$suite" nginx-dev "$work"
  suite_apt "$suite" "$work/apt" -y --download-only install nginx >&2 ||
    die "the packages that nginx of $suite needs cannot be had"
  version=$(dpkg-deb -f "$work"/nginx-dev_*.deb Version | sed 's/-.*//')
  unpack_nginx "$work" "$cache/$version" || die "the packages of nginx in $suite cannot be unpacked"
  rm -rf "$work"
  echo "$version" >"$cache/$suite"
  echo "$version"
}

unpack_nginx() { # WORK TO
  local work=$1 to=$2 deb
  mkdir -p "$work/headers" "$work/made/root"
  dpkg-deb -x "$work"/nginx-dev_*.deb "$work/headers"
  mv "$work/headers/usr/share/nginx/src" "$work/made/src"
  for deb in "$work"/apt/cache/archives/*.deb; do dpkg-deb -x "$deb" "$work/made/root"; done
  write_starter "$work/made" "$to" || return 1
  rm -rf "$to"
  mv "$work/made" "$to"
}

# The binary keeps its own C library: it is started by that suite's dynamic linker. --argv0 makes
# the new binary of an upgrade (USR2) come by this starter too.
write_starter() { # FOLDER PLACE
  local linker libraries
  linker=$(find "$1/root" -name 'ld-linux*.so.*' -print -quit)
  libraries=$(find "$1/root" -name 'lib*.so.*' -printf '%h\n' | sort -u | paste -sd:)
  [[ -n $linker && -x $1/root/usr/sbin/nginx ]] || return 1
  cat >"$1/nginx" <<TEXT
#!/bin/sh
exec ${linker/#$1/$2} --argv0 "\$0" --library-path ${libraries//$1/$2} $2/root/usr/sbin/nginx "\$@"
TEXT
  chmod 0755 "$1/nginx"
}
