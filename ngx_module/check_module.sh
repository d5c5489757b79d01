#!/usr/bin/env bash
# What the module may need and show: libc alone is NEEDED, no C++ runtime symbol is wanted, and the
# three tables that NGINX looks up are all that it exports. Called by ctest: MODULE [SANITIZERS].
# With sanitizers their runtime is needed too, and only the exports are checked.
set -euo pipefail
module=$1
sanitizers=${2:-}

exports=$(nm -D --defined-only "$module" | awk '{print $3}' | sed 's/@.*//' | sort | tr '\n' ' ')
if [[ $exports != "ngx_module_names ngx_module_order ngx_modules " ]]; then
  echo "$module exports: $exports; expected ngx_module_names ngx_module_order ngx_modules" >&2
  exit 1
fi
if [[ -n $sanitizers ]]; then
  exit 0
fi
needed=$(readelf -d "$module" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort | tr '\n' ' ')
case $needed in
"libc.so.6 " | "ld-linux-x86-64.so.2 libc.so.6 " | "libc.musl-x86_64.so.1 " | "libc.so ") ;;
*)
  echo "$module needs: $needed; expected libc alone" >&2
  exit 1
  ;;
esac
if nm -D --undefined-only "$module" | grep -E ' (_Z|__cxa_|__gxx_)' | grep -v '__cxa_finalize'; then
  echo "$module wants the C++ runtime's symbols above" >&2
  exit 1
fi
