// Requests to the idle color through NGINX's preview route, with libcurl: what a smoke check sends.
//
// Owns the secret for the length of one call: it is read from its file each time (it may be
// replaced meanwhile), goes into the one header and nowhere else. What an answer or an error says
// is searched for it and has "[secret]" in its place, should NGINX or the application tell it back.
// Called by the deploy process, and by `config check` and `doctor` for `ready`. One thread.
#pragma once

#include <functional>
#include <string>

#include "controller/ports/smoke.hpp"

namespace bluegreen {

struct PreviewRoute {
  std::string url;          // http://127.0.0.1:8080
  std::string host;         // the Host header; empty: the URL's
  std::string header;       // X-Bluegreen-Preview
  std::string secret_file;  // as bluegreen_preview names it; of two secrets the first is sent
};

// The secret that is to be sent, by the rules of NGINX's module. kPreflight: the file's name and
// what is wrong with it, never what is in it.
Result<std::string> read_preview_secret(const std::string& path);

class PreviewClient : public SmokePort {
 public:
  // `stop_asked` ends a request that is under way (kAborted).
  explicit PreviewClient(PreviewRoute route, std::function<bool()> stop_asked = {});

  Result<void> ready() override;
  Result<SmokeAnswer> ask(const SmokeRequest& request) override;

 private:
  PreviewRoute route_;
  std::function<bool()> stop_asked_;
};

}  // namespace bluegreen
