// See judge.hpp.
#include "tools/loadgen/judge.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

namespace bluegreen::loadgen {

std::string Judge::set_flips(std::vector<Flip> flips) {
  for (std::size_t i = 0; i < flips.size(); ++i) {
    const std::string which = "flip " + std::to_string(i + 1);
    if (flips[i].color != "blue" && flips[i].color != "green") {
      return which + ": expected blue or green, found \"" + flips[i].color + "\"";
    }
    if (flips[i].return_ns < flips[i].begin_ns) {
      return which + ": it returned before it began";
    }
    if (i > 0 && flips[i].begin_ns < flips[i - 1].return_ns) {
      return which + ": it began before the one before it had returned";
    }
  }
  flips_ = std::move(flips);
  verdict_ = Verdict{};
  verdict_.flips = flips_.size();
  return {};
}

void Judge::look_at(const Sample& sample) {
  ++verdict_.requests;
  if (!sample.error.empty()) {
    ++verdict_.failed;
  }
  // The first flip that had not returned when the request began; the one before it rules.
  const auto next = std::partition_point(flips_.begin(), flips_.end(), [&](const Flip& flip) {
    return flip.return_ns < sample.start_ns;
  });
  if (next == flips_.begin() || (next != flips_.end() && sample.end_ns >= next->begin_ns)) {
    return;
  }
  const Flip& ruling = *(next - 1);
  if (sample.color.empty()) {
    verdict_.uncolored += sample.error.empty() ? 1 : 0;
    return;
  }
  ++verdict_.judged;
  if (sample.color != ruling.color) {
    ++verdict_.stale;
    const double after = static_cast<double>(sample.end_ns - ruling.return_ns) / 1e6;
    verdict_.last_stale_ms = std::max(verdict_.last_stale_ms, after);
  }
}

std::string read_flips(const std::string& path, std::vector<Flip>& out) {
  std::ifstream file(path);
  if (!file) {
    return "cannot read " + path + ": " + std::strerror(errno);
  }
  std::string line;
  for (std::uint64_t number = 1; std::getline(file, line); ++number) {
    if (line.empty()) {
      continue;
    }
    std::istringstream fields(line);
    Flip flip;
    std::string extra;
    if (!(fields >> flip.begin_ns >> flip.return_ns >> flip.color) || fields >> extra) {
      std::string fault = path + ":" + std::to_string(number);
      fault.append(": \"").append(line).append("\" is not \"begin_ns return_ns color\"");
      return fault;
    }
    out.push_back(std::move(flip));
  }
  return {};
}

}  // namespace bluegreen::loadgen
