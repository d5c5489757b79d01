// What a probed backend answers, and what stands behind bluegreen_probe.
//
// The first byte says how: 0 to 15 an answer, in pieces of so many bytes more than one, with HEAD
// when it is 15; 16 to 31 a gRPC answer, in pieces of so many bytes less 15; anything else
// parameters, one a line.
//
// Promised: an answer ends when its connection does; it is the same one whatever pieces it comes
// in; nothing is written behind the window; a failure always has a text. Parameters that are taken
// make a request that fits, has as many lines as they say, and keeps their limits.
#include <algorithm>
#include <string_view>
#include <vector>

#include "ngx_module/core/probe_grpc.hpp"
#include "ngx_module/core/probe_http.hpp"
#include "tests/fuzz/patches.hpp"

using namespace bluegreen;
using namespace bluegreen::fuzz;

namespace {

using State = core::ProbeAnswer::State;

void answer(std::string_view bytes, std::size_t piece, bool head) {
  std::vector<char> whole_window(core::kMostBodyBytes);
  std::vector<char> window(core::kMostBodyBytes);
  core::ProbeAnswer whole(head, whole_window.data());
  whole.feed(bytes);
  whole.close();
  core::ProbeAnswer answer(head, window.data());
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    answer.feed(bytes.substr(at, piece));
  }
  const bool ended = answer.state() == State::kComplete;
  expect(!ended || answer.status() == 101 || (answer.status() >= 200 && answer.status() <= 599));
  answer.close();
  expect(answer.state() != State::kMore && answer.state() == whole.state());
  expect((answer.state() == State::kFailed) == (answer.error() != nullptr));
  expect(answer.error() == whole.error() && answer.status() == whole.status());
  expect(answer.body() == whole.body() && answer.cut() == whole.cut());
  expect(!answer.reusable());  // closed
}

void grpc_answer(std::string_view bytes, std::size_t piece) {
  core::GrpcAnswer whole;
  whole.feed(bytes);
  whole.close();
  core::GrpcAnswer answer;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    answer.feed(bytes.substr(at, piece));
  }
  answer.close();
  expect(answer.state() != core::GrpcAnswer::State::kMore && answer.state() == whole.state());
  expect(answer.error() == std::string_view(whole.error()) && answer.status() == whole.status());
  expect((answer.state() == core::GrpcAnswer::State::kFailed) == (answer.error()[0] != '\0'));
}

void parameters(std::string_view text) {
  core::ProbeSettings settings;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (core::parse_probe(text.substr(0, end), settings) != nullptr) {
      return;
    }
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  if (core::finish_probe(settings) != nullptr) {
    return;
  }
  expect(settings.rules.rise >= 1 && settings.rules.fall >= 1 && settings.status_count >= 1);
  expect(settings.rules.fast_interval_ms <= settings.rules.interval_ms);
  expect(settings.slow_ms < settings.timeout_ms && settings.port <= 65535);
  char out[core::kLongestProbeRequest];
  const std::size_t size = core::write_probe_request(settings, "a", out, sizeof(out));
  expect(size != 0);
  const long lines = 4 + settings.header_count + (settings.keepalive ? 0 : 1) +
                     (settings.method == core::ProbeMethod::kPost ? 1 : 0);
  expect(std::count(out, out + size, '\n') == lines);
  expect(std::count(out, out + size, '\r') == lines);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] < 16) {
    answer(rest, std::size_t{data[0]} + 1, data[0] == 15);
  } else if (data[0] < 32) {
    grpc_answer(rest, std::size_t{data[0]} - 15);
  } else {
    parameters(rest);
  }
  return 0;
}
