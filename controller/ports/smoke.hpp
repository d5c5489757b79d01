// A request to the idle color, through NGINX itself: the route that a preview takes.
//
// The implementation (controller/docker/preview_client) adds the secret, which is known to nobody
// else: it is in no text that comes back from here. Used by the smoke step and by whoever checks
// beforehand whether it could be used. One thread; a call ends by its deadline. Errors are kGate
// (no answer) and kPreflight (the secret or libcurl cannot be had).
#pragma once

#include <chrono>
#include <map>
#include <string>

#include "controller/ports/result.hpp"

namespace bluegreen {

struct SmokeRequest {
  std::string method;
  std::string path;
  std::map<std::string, std::string> headers;
  std::chrono::milliseconds within{0};
};

struct SmokeAnswer {
  long status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  std::chrono::milliseconds took{0};
};

class SmokePort {
 public:
  virtual ~SmokePort() = default;

  // Whether requests can be made: the secret is there and long enough for NGINX.
  virtual Result<void> ready() = 0;
  virtual Result<SmokeAnswer> ask(const SmokeRequest& request) = 0;
};

}  // namespace bluegreen
