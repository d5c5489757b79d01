// What stands behind the module's directives, through every parser of core: times, balancing,
// holds, maintenance, previews' variables, endpoints, names.
//
// Promised: a parser says yes only to what keeps its limits, and an endpoint that was understood is
// the same one when it is written and read again.
#include <string_view>

#include "ngx_module/core/balance_settings.hpp"
#include "ngx_module/core/duration.hpp"
#include "ngx_module/core/gate_settings.hpp"
#include "ngx_module/core/preview.hpp"
#include "ngx_module/core/sticky.hpp"
#include "shm/endpoint.hpp"
#include "shm/text_field.hpp"
#include "tests/fuzz/patches.hpp"

using namespace bluegreen;
using namespace bluegreen::fuzz;

namespace {

void endpoints(std::string_view text) {
  shm::Endpoint endpoint{};
  if (!shm::parse_endpoint(text, endpoint)) {
    return;
  }
  expect(shm::endpoint_is_valid(endpoint));
  char written[shm::kEndpointTextSize];
  const std::size_t length = shm::format_endpoint(endpoint, written);
  shm::Endpoint again{};
  expect(length != 0 && shm::parse_endpoint({written, length}, again));
  expect(std::memcmp(&endpoint, &again, sizeof(endpoint)) == 0);
}

// What was refused may have left anything: NGINX does not start then.
void balance(std::string_view text) {
  core::BalanceSettings settings;
  core::parse_method(text, settings);
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const char* const expected = core::parse_balance(text.substr(0, end), settings);
    expect(expected == nullptr || *expected != '\0');
    if (expected != nullptr) {
      return;
    }
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  expect(settings.rules.max_fails <= core::kMostFails && settings.rules.fail_timeout_ms >= 1 &&
         settings.rules.fail_timeout_ms <= core::kLongestTimeMs &&
         settings.rules.slow_start_ms <= core::kLongestTimeMs);
}

// Words of one directive, as NGINX hands them over one by one.
template <typename Settings, typename Parse>
Settings all_words(std::string_view text, const Parse& parse) {
  Settings settings;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const char* const expected = parse(text.substr(0, end), settings);
    expect(expected == nullptr || *expected != '\0');
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return settings;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::uint64_t ms = 0;
  expect(!core::parse_duration(text, ms) || ms <= core::detail::kLongestMs);

  const auto hold = all_words<core::HoldSettings>(text, core::parse_hold);
  expect(hold.timeout_ms >= 1 && hold.timeout_ms <= core::kMaxHoldTimeoutMs);
  expect(hold.max <= core::kMaxHeld && hold.retry_after_s >= 1);
  expect(hold.retry_after_s <= core::kMaxRetryAfterS);

  const auto closed = all_words<core::MaintenanceSettings>(text, core::parse_maintenance);
  expect(closed.retry_after_s >= 1 && closed.retry_after_s <= core::kMaxRetryAfterS);
  expect(closed.type.find('/') != std::string_view::npos);

  core::PreviewSource source;
  if (core::parse_preview_source(text, source) == nullptr) {
    expect(source.size >= 1 && source.size <= core::kMaxPreviewName);
    expect(core::is_header(source, source.text()));
  }
  endpoints(text);
  balance(text);
  char name[shm::kAppNameSize];
  expect(!shm::is_app_name(text) || (shm::set_text(name, text) && shm::text_of(name) == text));
  expect(core::sticky_position(core::sticky_seed("app"), text) < shm::kMaxWeight);
  return 0;
}
