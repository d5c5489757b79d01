// loadgen: loads a server over HTTP, and judges what the clients saw. See load.hpp and judge.hpp.
//
// Exit: 0 the load ran or the record was judged, whatever it shows (read the JSON on stdout);
// 2 usage, or a file that cannot be read or written.
#include <signal.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "tools/loadgen/judge.hpp"
#include "tools/loadgen/load.hpp"
#include "tools/loadgen/summary.hpp"

namespace {

using namespace bluegreen::loadgen;

int failed(const std::string& error) {
  std::cerr << "loadgen: " << error << "\n";
  return 2;
}

int load(const LoadOptions& options) {
  if (options.port <= 0) {
    return failed("--port is needed");
  }
  // Blocked here, read by run_load through a signalfd.
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  Summary summary;
  if (const std::string error = run_load(options, summary); !error.empty()) {
    return failed(error);
  }
  std::cout << summary.json() << std::endl;
  return 0;
}

int judge(const std::string& record, const std::string& flips_path) {
  std::vector<Flip> flips;
  if (const std::string error = read_flips(flips_path, flips); !error.empty()) {
    return failed(error);
  }
  Judge judge;
  if (const std::string error = judge.set_flips(std::move(flips)); !error.empty()) {
    return failed(flips_path + ": " + error);
  }
  const std::string error =
      read_record(record, [&judge](const Sample& sample) { judge.look_at(sample); });
  if (!error.empty()) {
    return failed(error);
  }
  std::cout << to_json(judge.verdict()) << std::endl;
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{
      "Loads an HTTP server with keep-alive clients (closed loop) and says what they saw."};
  LoadOptions options;
  app.add_option("--host", options.host, "name or address")->capture_default_str();
  app.add_option("--port", options.port, "port")->check(CLI::Range(1, 65535));
  app.add_option("--path", options.path, "what to ask for")->capture_default_str();
  app.add_option("--clients", options.clients, "connections, one request outstanding on each")
      ->capture_default_str()
      ->check(CLI::Range(1, 10000));
  app.add_option("--method", options.method, "request method")->capture_default_str();
  app.add_option("--body", options.body, "bytes of request body")
      ->check(CLI::Range(std::size_t{0}, std::size_t{64} << 20));
  app.add_option("--header", options.headers, "one more \"Name: value\", repeatable")
      ->allow_extra_args(false);
  app.add_option("--seconds", options.seconds, "how long; 0: until SIGTERM")
      ->check(CLI::Range(0.0, 86400.0));
  app.add_option("--timeout", options.timeout, "seconds a request may take")
      ->capture_default_str()
      ->check(CLI::Range(0.001, 3600.0));
  app.add_option("--record", options.record, "CSV file, one line a request");

  std::string record;
  std::string flips;
  CLI::App* judge_command =
      app.add_subcommand("judge", "Counts what failed and what was stale after a flip");
  judge_command->add_option("--record", record, "the load's CSV file")->required();
  judge_command->add_option("--flips", flips, "lines of \"begin_ns return_ns color\"")->required();
  app.require_subcommand(0, 1);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return judge_command->parsed() ? judge(record, flips) : load(options);
}
