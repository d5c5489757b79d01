#!/usr/bin/env bash
# Does this bgctl run on Amazon Linux 2023 as it is installed? No symbol newer than GLIBC_2.34, and
# nothing needed but glibc's own libraries. Called by ctest with the program as its argument.
set -euo pipefail

program=${1:?usage: abi_test.sh PROGRAM}
newest_allowed=2.34
failed=0

needed=$(readelf -d "$program" | sed -n 's/.*(NEEDED).*\[\(.*\)\].*/\1/p')
while read -r library; do
  case $library in
    libc.so.6 | libm.so.6 | ld-linux-x86-64.so.2 | ld-linux-aarch64.so.1) ;;
    *)
      echo "$program needs $library; expected glibc's own libraries only"
      failed=1
      ;;
  esac
done <<<"$needed"

versions=$(objdump -T "$program" | grep -o 'GLIBC_[0-9.]*' | sort -u | sed 's/GLIBC_//')
[[ -n $versions ]] || { echo "$program: no GLIBC symbol found, is it an ELF program?"; exit 1; }
while read -r version; do
  newest=$(printf '%s\n%s\n' "$version" "$newest_allowed" | sort -V | tail -n 1)
  if [[ $newest != "$newest_allowed" ]]; then
    echo "$program uses GLIBC_$version, newer than GLIBC_$newest_allowed:"
    objdump -T "$program" | grep -F "GLIBC_$version"
    failed=1
  fi
done <<<"$versions"
exit "$failed"
