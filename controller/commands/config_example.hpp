// What `bgctl config example` prints: every key with its default and what it is for. Keys that do
// something only when they are there stand behind "//". A configuration as it is, checked by
// controller/config/schema_test.py: it knows every key of docs/bgctl.schema.json.
#pragma once

namespace bluegreen {

inline constexpr const char* kConfigExample = R"({
  // Made by `bgctl init`; NGINX mounts its folder, read-only.
  "control": "/var/lib/bluegreen/control",
  "telemetry": "/run/bluegreen/telemetry",  // NGINX's workers write it, on tmpfs
  "trace_dir": "/opt/staging/deploy-trace",  // a folder a deploy: journal, log, verdict
  "run_dir": "/run/bgctl",  // locks, root's alone
  // Who is told how a deploy ended (docs/notifications.md). Secrets stand in files, never here.
  // "notify": [
  //   {"url": "https://ops.example/hook", "secret_file": "/etc/bluegreen/hook.secret"},
  //   {"url_file": "/etc/bluegreen/slack.url", "format": "slack", "on": ["failed", "rolled_back"]}
  // ],
  "apps": {
    "app": {
      "runtime": "compose",  // containers by Docker Compose; or "process", below
      "compose": {
        "project": "staging",
        "file": "/opt/staging/compose.yaml",
        "env_file": "/opt/staging/images.env",  // the image variables: bgctl replaces it
        "port": 8000,  // where the application listens in its container
        "services": {"blue": "app_blue", "green": "app_green"},
        "image_variables": {"blue": "APP_BLUE_IMAGE", "green": "APP_GREEN_IMAGE"},
        // "network": "staging_default",  // NGINX's, where a container has several
        // "pull_tries": 6,  // again after 429, 5xx and resets
        "docker_host": "unix:///var/run/docker.sock",
        "min_free_mb": 512  // on the disk of Docker's data, before a pull
      },
      // The whole deploy, up to the end of its soak; after it the old color serves.
      "deploy_within": "2h",
      // Before anything moves, from the new image, and once the old release is gone:
      // "migrate": {"service": "migrate", "timeout": "10m"},
      // "contract": {"command": ["/opt/staging/contract.sh"], "timeout": "10m"},
      // Programs of yours, without a shell; the BLUEGREEN_* variables say what is going on:
      // "hooks": {"pre_flip": [{"command": ["/opt/staging/check.sh"], "timeout": "60s"}],
      //           "post_flip": [], "post_stop": [], "on_failure": []},
      "healthy_within": "60s",  // for the container's health, and again for NGINX's probes
      // Requests to the new color through NGINX's preview route, before any user gets there:
      // "smoke": {"url": "http://127.0.0.1:8080", "header": "X-Bluegreen-Preview",
      //           "secret_file": "/etc/bluegreen/preview.secret", "host": "staging.example",
      //           "checks": [{"path": "/health", "method": "GET", "headers": {"Accept": "text/plain"},
      //                       "status": "200-299", "header": {"Content-Type": "text"}, "body": "ok",
      //                       "within": "5s"}]},
      // Its share of the users in stages, each judged against the old color (docs/canary.md):
      // "canary": [{"weight": "5%", "for": "5m", "min_requests": 100}, {"weight": "50%", "for": "5m"}],
      // "analysis": {"confidence": "99%", "min_requests": 50, "error_tolerance": "0.5%",
      //              "latency_tolerance": "20%", "latency_slack": "10ms", "max_error_rate": "5%",
      //              "max_latency": {"p50": "200ms", "p90": "1s", "p99": "3s"}, "not_enough": "pass"},
      "soak": "0s",  // how long the new color is watched, ready to go back
      "drain": {"timeout": "30s", "then": "stop"},  // then: or "wait", or "rollback"
      // Before a user gets the new release, through NGINX's bluegreen_preview (docs/commands.md):
      // "smoke": {"url": "http://127.0.0.1:8080", "secret_file": "/etc/bluegreen/preview.secret",
      //   "header": "X-Bluegreen-Preview", "host": "example.com",
      //   "checks": [{"path": "/health", "status": 200, "body": "ok", "within": "1s"}]},
      "keep_old": "10m",  // how long the old color stays up for a rollback at once
      "keep_releases": 3,  // images that a prune leaves
      "keep_traces": 50  // trace folders that are left
    }
    // A program on this host instead of a container:
    // "tool": {
    //   "runtime": "process",
    //   "process": {
    //     "command": ["/srv/tool/{image}/serve", "--port", "{port}", "--color", "{color}"],
    //     "ports": {"blue": 8101, "green": 8102},
    //     "health": "/health",  // asked until it answers 2xx
    //     "stop_timeout": "10s",  // from SIGTERM to SIGKILL
    //     "environment": {"LANG": "C.UTF-8"},
    //     "directory": "/"
    //   }
    // }
  }
}
)";

}  // namespace bluegreen
