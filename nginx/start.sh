#!/bin/sh
# The container's first program: writes the colors' default servers from BLUE_SERVER and
# GREEN_SERVER (ADDRESS:PORT each; several separated by spaces) and becomes NGINX. These count only
# until bgctl has published a color; what is no address is refused by `nginx`, with its place.
set -eu
servers=/etc/nginx/bluegreen_servers.conf
{
  for server in ${BLUE_SERVER:?expected ADDRESS:PORT of the blue color}; do
    echo "bluegreen_server blue $server;"
  done
  for server in ${GREEN_SERVER:?expected ADDRESS:PORT of the green color}; do
    echo "bluegreen_server green $server;"
  done
} >"$servers"
exec nginx -g 'daemon off;' "$@"
