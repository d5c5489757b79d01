// Runs another program to its end: no shell, its own process group, no input but a file's, bounded
// output, a deadline after which the whole group gets SIGTERM and then SIGKILL.
//
// Owns the child, its pipes and its pidfd for the length of one call; nothing outlives it. Called
// by the adapters that need a program (`docker compose`, `systemctl`), on bgctl's one thread. How
// the program ended is a value, also when it was a signal; only a program that cannot be started is
// an error. bgctl killed with -9 leaves the program running: who must know that afterwards gives it
// a lock to hold (`inherited_fd`). A request to stop ends it as its deadline does (`stop_when`).
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace bluegreen {

using Environment = std::vector<std::string>;  // NAME=value

struct ChildRequest {
  std::vector<std::string> argv;  // argv[0] without a slash is looked up in our PATH
  Environment environment;        // all of it
  std::string directory = "/";
  std::chrono::milliseconds timeout{60'000};
  std::chrono::milliseconds grace{5'000};  // between SIGTERM and SIGKILL
  std::size_t stdout_limit = 8U << 20;     // the last bytes are kept
  std::size_t stderr_limit = 16U << 10;
  int input_fd = -1;        // its stdin, from where the file stands; else it has none
  int inherited_fd = -1;    // stays open in the program, as descriptor 3; all others are closed
  bool one_stream = false;  // stderr goes where stdout goes, in the order of both
  bool end_group = false;   // what it has left running in its process group is killed
  std::function<void(std::string_view)> on_output = {};  // stdout as it comes, in pieces
  std::function<bool()> stop_when = {};                  // asked every tenth of a second
};

struct ChildExit {
  int code = -1;   // -1 when a signal ended it
  int signal = 0;  // 0 when it exited
  bool timed_out = false;
  bool stopped = false;     // because stop_when said so
  bool stdout_cut = false;  // there was more than the limit
  std::string out;
  std::string err;
  std::chrono::milliseconds took{0};

  [[nodiscard]] bool ok() const { return code == 0 && !timed_out && !stopped; }
};

tl::expected<ChildExit, std::string> run_child(const ChildRequest& request);

// "exited with 1", "was killed by signal 9", "did not end within 60 s": for a message.
std::string describe(const ChildExit& exit);

// Our own environment without `without`, and with what programs miss that are started by SSM: HOME,
// DOCKER_CONFIG and PATH are set when they are not.
Environment child_environment(const std::vector<std::string>& without = {});

// The value of `name` in such a list, or empty.
std::string_view value_in(const Environment& environment, std::string_view name);

}  // namespace bluegreen
