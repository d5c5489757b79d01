// Unit tests of detach.hpp: a real process in a session of its own, and systemd-run's command line.
#include "controller/host/detach.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

using namespace bluegreen;

namespace {

std::string content_when_ready(const std::string& path) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (std::chrono::steady_clock::now() < deadline) {
    std::ifstream file(path);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    if (text.find("end\n") != std::string::npos) {
      return text;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return {};
}

}  // namespace

TEST_CASE("detached process has its own session, no descriptor of ours, and its log") {
  std::string log = "/tmp/detach_test.XXXXXX";
  const int fd = ::mkstemp(log.data());  // inheritable on purpose
  REQUIRE(fd >= 0);
  const std::string script =
      "read -r _ _ _ ppid pgrp sid rest < /proc/self/stat; echo sid $sid; echo ppid $PPID; "
      "for fd in 3 4 5 6 7 8 9 10 11 12; do [ -e /proc/$$/fd/$fd ] && echo open $fd; done; "
      "grep SigIgn /proc/self/status; pwd; echo end";
  const auto before = std::signal(SIGHUP, SIG_IGN);
  REQUIRE(start_in_own_session({"/bin/sh", {"-c", script}, log, "x"}));
  std::signal(SIGHUP, before);
  const std::string text = content_when_ready(log);
  CAPTURE(text);
  CHECK(text.find("SigIgn:\t0000000000000000\n") != std::string::npos);
  CHECK(text.find("sid " + std::to_string(::getsid(0)) + "\n") == std::string::npos);
  CHECK(text.find("ppid " + std::to_string(::getpid()) + "\n") == std::string::npos);
  CHECK(text.find("open") == std::string::npos);
  CHECK(text.find("\n/\nend\n") != std::string::npos);
  ::close(fd);
  std::filesystem::remove(log);
}

TEST_CASE("program that cannot be started is an error with its name") {
  auto started = start_in_own_session({"/nowhere/bgctl", {}, "/dev/null", "x"});
  REQUIRE_FALSE(started);
  CHECK(started.error().code == ExitCode::kPreflight);
  CHECK(started.error().what.find("/nowhere/bgctl: No such file") != std::string::npos);
}

TEST_CASE("systemd-run command collects the unit, spares its children, ends with the program") {
  const auto command = systemd_run_command(
      {"/usr/bin/bgctl", {"run-deploy", "d1"}, "/t/log", "bgctl-app-d1"}, {"A=b c"});
  const auto has = [&command](const std::string& word) {
    return std::find(command.begin(), command.end(), word) != command.end();
  };
  CHECK(has("--collect"));
  CHECK(has("--unit=bgctl-app-d1"));
  CHECK(has("--property=KillMode=process"));
  CHECK(has("--property=StandardOutput=append:/t/log"));
  CHECK(has("--setenv=A=b c"));
  const std::vector<std::string> tail(command.end() - 4, command.end());
  CHECK(tail == std::vector<std::string>{"--", "/usr/bin/bgctl", "run-deploy", "d1"});
  CHECK(unit_word("a/b c") == "a_b_c");
}
