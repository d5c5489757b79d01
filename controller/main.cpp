// The entry of bgctl: everything else is in commands/ (cli.cpp).
#include <unistd.h>

#include <csignal>

#include "controller/commands/command.hpp"

int main(int argc, char** argv) {
  // A reader of our output that goes away (`bgctl status | head`, a closed SSM stream) must not
  // end a command half-way; writes then fail quietly.
  std::signal(SIGPIPE, SIG_IGN);
  bluegreen::FdWriter out(STDOUT_FILENO);
  bluegreen::FdWriter err(STDERR_FILENO);
  return bluegreen::run_cli(argc, argv, out, err);
}
