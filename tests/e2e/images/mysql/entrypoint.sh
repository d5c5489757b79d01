#!/bin/bash
# Makes the data folder at the first start, as the official mysql image does, then becomes the
# server. Reads MYSQL_ROOT_PASSWORD, MYSQL_DATABASE, MYSQL_USER and MYSQL_PASSWORD; ends with 1
# when the root password is missing. An interrupted first start begins anew: the marker is made last.
set -euo pipefail
DATA=/var/lib/mysql
MARKER=$DATA/.initialized

quoted() { # a word as an SQL string
  local text=${1//\\/\\\\}
  printf "'%s'" "${text//\'/\'\'}"
}

if [[ ! -e $MARKER ]]; then
  [[ -n ${MYSQL_ROOT_PASSWORD:-} ]] || {
    echo "MYSQL_ROOT_PASSWORD is not set" >&2
    exit 1
  }
  find "$DATA" -mindepth 1 -delete
  chown mysql:mysql "$DATA"
  mariadb-install-db --user=mysql --datadir="$DATA" --skip-test-db >/dev/null
  {
    echo "FLUSH PRIVILEGES;"
    echo "CREATE OR REPLACE USER root@'%' IDENTIFIED BY $(quoted "$MYSQL_ROOT_PASSWORD");"
    echo "GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;"
    echo "ALTER USER root@localhost IDENTIFIED BY $(quoted "$MYSQL_ROOT_PASSWORD");"
    if [[ -n ${MYSQL_DATABASE:-} ]]; then
      echo "CREATE DATABASE IF NOT EXISTS \`${MYSQL_DATABASE//\`/\`\`}\` CHARACTER SET utf8mb4;"
    fi
    if [[ -n ${MYSQL_USER:-} ]]; then
      echo "CREATE OR REPLACE USER $(quoted "$MYSQL_USER")@'%' IDENTIFIED BY $(quoted "${MYSQL_PASSWORD:-}");"
      [[ -z ${MYSQL_DATABASE:-} ]] ||
        echo "GRANT ALL ON \`${MYSQL_DATABASE//\`/\`\`}\`.* TO $(quoted "$MYSQL_USER")@'%';"
    fi
  } | mariadbd --user=mysql --datadir="$DATA" --bootstrap >/dev/null
  touch "$MARKER"
fi
exec mariadbd --user=mysql --datadir="$DATA" --bind-address=0.0.0.0 --skip-name-resolve "$@"
