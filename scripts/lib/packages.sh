# shellcheck shell=bash
# Debian packages: installs what is missing, and finds the mirror that apt uses here. Sourced by
# scripts/*; needs lib/say.sh. Ends the caller with a message when apt cannot do it.

# Installs those of the named packages that are not installed, nor provided by one that is (as npm
# is by other builds of nodejs). Touches no network when all are there.
install_packages() {
  local missing=() package there
  there=$(dpkg-query -W -f='${db:Status-Status} ${Package}, ${Provides}, \n' |
    sed -n 's/^installed / /p')
  for package in "$@"; do
    [[ $there == *" $package, "* || $there == *" $package ("* ]] || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  need_root "installing ${missing[*]}"
  command -v apt-get >/dev/null ||
    die "not installed: ${missing[*]}; install them (only Debian's apt-get is known here)"
  say "installing ${missing[*]}"
  # Lists may be absent (a fresh container) or old: try as it is, then once more with new ones.
  apt_install "${missing[@]}" || { apt-get -qq update >&2 && apt_install "${missing[@]}"; } ||
    die "apt-get could not install: ${missing[*]}"
}

# ensure_packages LIST...: installs what scripts/packages/LIST.txt names.
ensure_packages() {
  local folder list package packages=()
  folder=$(dirname "${BASH_SOURCE[0]}")/../packages
  for list in "$@"; do
    while read -r package; do
      [[ -z $package || $package == \#* ]] || packages+=("$package")
    done <"$folder/$list.txt"
  done
  install_packages "${packages[@]}"
}

# RUNLEVEL=1: a package's service is not started; an NGINX on port 80 is nobody's wish here.
apt_install() {
  RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends \
    -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 install "$@" >/dev/null
}

# The address of the mirror from which this system's own release comes.
debian_mirror() {
  local codename mirror
  codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
  # REPO_URI is an option of apt, not a variable of this shell.
  # shellcheck disable=SC2016
  mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Identifier: Packages' |
    awk -v release="$codename" '$2 == release && $3 == "main" { print $1; exit }')
  [[ -n $mirror ]] || die "apt's sources name no mirror for Debian '$codename' (main)"
  echo "$mirror"
}

# suite_apt SUITE STATE COMMAND...: apt-get as a machine of another suite with nothing installed
# would run it, against this system's mirror; that suite stays unknown to this system's own apt.
suite_apt() {
  local suite=$1 state=$2
  shift 2
  mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
  [[ -e $state/status ]] || : >"$state/status"
  echo "deb $(debian_mirror) $suite main" >"$state/sources.list"
  # Debian signs a new release with the keys of the one before too.
  apt-get -qq -o "Dir::Etc::SourceList=$state/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o "Dir::State::Lists=$state/lists" -o "Dir::State::status=$state/status" \
    -o "Dir::Cache=$state/cache" -o Acquire::Languages=none -o APT::Sandbox::User=root \
    -o Acquire::Retries=3 -o APT::Install-Recommends=false "$@"
}

# fetch_package SUITE PACKAGE FOLDER: the .deb of another suite.
fetch_package() {
  local suite=$1 package=$2 folder=$3
  suite_apt "$suite" "$folder/apt" update >&2 ||
    die "the mirror $(debian_mirror) gives no package list for $suite"
  (cd "$folder" && suite_apt "$suite" "$folder/apt" download "$package" >&2) ||
    die "no package $package in $suite at $(debian_mirror)"
}
