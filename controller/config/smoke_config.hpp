// `smoke` of an application: requests that the new color has to answer well, through NGINX's
// preview route, before any user is sent to it.
//
// Read by config.cpp; the secret itself is never in here, only the name of the file that has it.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace bluegreen {

namespace detail {
class Section;
}  // namespace detail

// One request and what has to come of it.
struct SmokeCheck {
  std::string path;  // with its query, as in a URL
  std::string method = "GET";
  std::map<std::string, std::string> headers;  // sent
  std::uint32_t least_status = 200;
  std::uint32_t most_status = 299;
  std::map<std::string, std::string> header;  // of the answer: each has to contain its text
  std::string body;                           // has to be in the answer; empty: any
  std::chrono::milliseconds within{5'000};    // the whole answer has to be here by then
};

struct SmokeConfig {
  std::string url;  // where this host reaches NGINX: http://127.0.0.1:8080
  std::string header = "X-Bluegreen-Preview";
  std::string secret_file;  // the one that NGINX's bluegreen_preview names
  std::string host;         // the Host header; empty: the URL's
  std::vector<SmokeCheck> checks;
};

// None without the key. Faults go to the section's problems.
std::optional<SmokeConfig> read_smoke(detail::Section& app);

}  // namespace bluegreen
