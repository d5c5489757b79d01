// See the header; systemd.service(5) and systemd.syntax(7) have the quoting.
#include "controller/process/systemd_unit.hpp"

#include <fmt/format.h>

namespace bluegreen {

std::string quoted_for_unit(std::string_view word, bool command) {
  std::string out = "\"";
  for (const char c : word) {
    switch (c) {
      case '"':
      case '\\':
        out.push_back('\\');
        out.push_back(c);
        break;
      case '\n':
        out += "\\n";
        break;
      case '%':
        out += "%%";
        break;
      case '$':
        out += command ? "$$" : "$";  // variables are looked for in commands alone
        break;
      default:
        out.push_back(c);
    }
  }
  return out + "\"";
}

std::string unit_text(const LaunchRequest& request) {
  std::string command;
  for (const std::string& word : request.argv) {
    command += (command.empty() ? "" : " ") + quoted_for_unit(word, true);
  }
  std::string environment;
  for (const std::string& entry : request.environment) {
    environment += "Environment=" + quoted_for_unit(entry, false) + "\n";
  }
  const double stop = std::chrono::duration<double>(request.stop_timeout).count();
  return fmt::format(
      "# Written by bgctl at each deploy; changes are lost.\n"
      "[Unit]\n"
      "Description=bgctl {0}\n"
      "After=network.target\n"
      "\n"
      "[Service]\n"
      "Type=exec\n"
      "ExecStart={1}\n"
      "{2}"
      "WorkingDirectory={3}\n"
      "StandardInput=null\n"
      "StandardOutput=append:{4}\n"
      "StandardError=append:{4}\n"
      "KillMode=mixed\n"
      "TimeoutStopSec={5:.3f}\n"
      "Restart=always\n"
      "RestartSec=1\n"
      "\n"
      "[Install]\n"
      "WantedBy=multi-user.target\n",
      request.place.name, command, environment, request.directory, request.place.log_file, stop);
}

}  // namespace bluegreen
