#!/bin/bash
# Exits 0 when NGINX in this container answers its liveness page. Plain bash: not every base image
# has curl. Says nothing about the colors behind it: a color that is down must not make Docker
# call the load balancer unhealthy.
set -euo pipefail
exec 3<>/dev/tcp/127.0.0.1/8081
printf 'GET /alive HTTP/1.0\r\n\r\n' >&3
read -r -t 2 _ status _ <&3
echo "/alive: ${status:-no answer}"
[[ ${status:-} == 200 ]]
