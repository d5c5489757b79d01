// What every way of starting a program needs before it execs: argv as exec takes it, and signals
// as a program expects them. Called by child_process, detach and the process runtime;
// exec_pointers in the parent, reset_signals between fork and exec (it makes system calls only).
// Neither fails.
#pragma once

#include <csignal>
#include <string>
#include <vector>

namespace bluegreen {

// Points into `texts`, which has to outlive it.
inline std::vector<char*> exec_pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  out.reserve(texts.size() + 1);
  for (const std::string& text : texts) {
    out.push_back(const_cast<char*>(text.c_str()));  // exec's signature; it writes nothing
  }
  out.push_back(nullptr);
  return out;
}

// What we ignore or block (SIGPIPE ourselves, SIGHUP under nohup) is inherited through exec, and is
// no wish of the program's.
inline void reset_signals() noexcept {
  for (int number = 1; number < NSIG; ++number) {
    std::signal(number, SIG_DFL);
  }
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

}  // namespace bluegreen
