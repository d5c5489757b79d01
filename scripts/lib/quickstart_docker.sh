# shellcheck shell=bash
# The Docker half of scripts/quickstart: the whole Compose stack in a project, a registry and, where
# no engine answers, an engine of its own, all below $state. Sourced there, after quickstart.sh.
# shellcheck disable=SC2154,SC2034  # state, port come from scripts/quickstart; load_* go there

project=bluegreen-quickstart
registry_port=$((port + 4))
subnet=172.28.77
engine_root=$state/engine
load_host=$subnet.10 # NGINX itself: Docker's own proxy on 127.0.0.1 is not what is shown
load_port=80

image() { echo "localhost:$registry_port/bluegreen-app:$1"; }

compose() { docker compose -p "$project" -f "$state/compose.yaml" --env-file "$state/images.env" "$@"; }

# build TAG CONTEXT [OPTION...]: with BuildKit where its plugin is there.
build() {
  local log tag=$1 context=$2 buildkit=0
  shift 2
  docker buildx version >/dev/null 2>&1 && buildkit=1
  if ! log=$(DOCKER_BUILDKIT=$buildkit docker build -q -t "$tag" "$@" "$context" 2>&1); then
    echo "$log" >&2
    echo "docker build of $tag failed, see above" >&2
    return 1
  fi
}

# The official images where a registry can be reached, else the ones made from Debian packages.
choose_base_images() {
  nginx_base=${NGINX_BASE:-nginx:1.28} python_base=${PYTHON_BASE:-python:3.12-slim} mysql_image=${MYSQL_IMAGE:-mysql:8.4}
  local one
  for one in "$nginx_base" "$python_base" "$mysql_image"; do
    docker image inspect "$one" >/dev/null 2>&1 || timeout 300 docker pull -q "$one" >/dev/null 2>&1 || {
      echo "$one cannot be pulled from here: making base images from Debian packages"
      scripts/base-image make --cache "$state/cache"
      nginx_base=bluegreen/base-nginx python_base=bluegreen/base-python mysql_image=bluegreen/mysql:local
      return
    }
  done
}

start_compose_stack() {
  step "engine and registry"
  touch "$state/docker"
  scripts/engine start --root "$engine_root"
  scripts/engine registry start --root "$engine_root" --port "$registry_port"
  step "images"
  choose_base_images
  # The build stage by a name of its own, so that --down finds it.
  build bluegreen-nginx-module:quickstart . -f nginx/Dockerfile --target module --build-arg "BASE_IMAGE=$nginx_base"
  build bluegreen-nginx:quickstart . -f nginx/Dockerfile --build-arg "BASE_IMAGE=$nginx_base"
  local version
  for version in v1 v2; do
    build "$(image $version)" compose/app --build-arg "BASE_IMAGE=$python_base" --build-arg "VERSION=$version"
    docker push -q "$(image $version)"
  done
  step "NGINX and MySQL, on 127.0.0.1:$port"
  write_stack_files
  compose up -d --no-build --pull never nginx mysql
  bgctl init --app app
}

write_stack_files() {
  mkdir -p "$state"/{control,telemetry,traces}
  cp compose/compose.yaml "$state/compose.yaml"
  (umask 077 && sed "s/change-me-too/quickstart/" compose/app.env.example >"$state/app.env")
  (umask 077 && sed "s/change-me.*/quickstart/" compose/mysql.env.example >"$state/mysql.env")
  cat >"$state/images.env" <<ENV
APP_BLUE_IMAGE=$(image v1)
APP_GREEN_IMAGE=$(image v1)
NGINX_IMAGE=bluegreen-nginx:quickstart
MYSQL_IMAGE=$mysql_image
HTTP_BIND=127.0.0.1
HTTP_PORT=$port
STATUS_PORT=$((port + 1))
SUBNET=$subnet.0/24
SUBNET_DYNAMIC=$subnet.128/25
SUBNET_GATEWAY=$subnet.1
NGINX_ADDRESS=$subnet.10
APP_BLUE_ADDRESS=$subnet.11
APP_GREEN_ADDRESS=$subnet.12
BLUEGREEN_CONTROL_DIR=$state/control
BLUEGREEN_TELEMETRY_DIR=$state/telemetry
ENV
  cat >"$state/bgctl.json" <<JSON
{
  // Written by scripts/quickstart; \`bgctl --config\` this file.
  "control": "$state/control/control", "telemetry": "$state/telemetry/telemetry",
  "trace_dir": "$state/traces",
  "apps": {"app": {"runtime": "compose", "keep_old": "10m",
    "compose": {"project": "$project", "file": "$state/compose.yaml", "env_file": "$state/images.env", "port": 8000}}}
}
JSON
}

stop_compose_stack() {
  if docker version >/dev/null 2>&1; then
    [[ ! -f $state/images.env ]] || compose down --volumes --timeout 10 || true
    docker image rm --force "$(image v1)" "$(image v2)" bluegreen-nginx:quickstart \
      bluegreen-nginx-module:quickstart >/dev/null 2>&1 || true
    [[ ! -d $state/cache ]] || scripts/base-image remove
  fi
  scripts/engine registry stop --root "$engine_root" --port "$registry_port"
  scripts/engine stop --root "$engine_root"
}
