// What the prober knows about one endpoint, and how it goes into and comes out of the endpoint's
// record in the region (shm/health_word.hpp).
//
// resume_record reads what a predecessor has found, so that a takeover or a reload changes no
// health; an endpoint with another tag is another endpoint, and unknown. judge_answer says what a
// complete HTTP answer means. note_probe takes one probe in. Called by the prober, one thread, with
// the record's only writer role; a torn or foreign detail costs the counters, not the health.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#include "ngx_module/core/bounded_writer.hpp"
#include "ngx_module/core/probe_settings.hpp"
#include "ngx_module/core/rise_fall.hpp"
#include "shm/health_word.hpp"

namespace bluegreen::core {

struct ProbeVerdict {
  bool success = false;
  std::uint16_t status = 0;               // 0 without one
  std::uint64_t latency_us = 0;           // from the start of the probe to its end
  char error[shm::kProbeErrorSize] = {};  // empty after a success
};

struct ProbeRecord {
  RiseFall state;
  shm::HealthDetail detail{};  // all but crc and epoch are right
};

// Texts come from constants and from the system, but may be cut: printable, and NUL at the end.
inline void set_error(ProbeVerdict& verdict, std::string_view text) noexcept {
  const std::size_t room = sizeof(verdict.error) - 1;
  const std::size_t size = text.size() < room ? text.size() : room;
  std::memset(verdict.error, 0, sizeof(verdict.error));
  for (std::size_t i = 0; i < size; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    verdict.error[i] = byte < ' ' || byte >= 0x7f ? '?' : text[i];
  }
}

// `body_fits`: the body is what the settings ask for, or they ask for nothing.
inline void judge_answer(const ProbeSettings& settings, std::uint32_t status, bool body_fits,
                         ProbeVerdict& out) noexcept {
  out.status = static_cast<std::uint16_t>(status);
  out.success = status_fits(settings, status) && body_fits;
  char text[shm::kProbeErrorSize];
  BoundedWriter writer(text, sizeof(text));
  if (!status_fits(settings, status)) {
    writer.text("status ");
    writer.number(status);
    writer.text(", expected ");
    for (std::size_t i = 0; i < settings.status_count; ++i) {
      writer.text(i == 0 ? "" : ",");
      writer.number(settings.statuses[i].first);
      if (settings.statuses[i].last != settings.statuses[i].first) {
        writer.put('-');
        writer.number(settings.statuses[i].last);
      }
    }
  } else if (!body_fits) {
    writer.text(settings.body_is_pattern ? "the body's first 4 KB are not what body=~ asks for"
                                         : "the body's first 64 KB are not what body= asks for");
  }
  set_error(out, writer.written());
}

// Of an endpoint with this tag. False: nothing is known about it, or no more than its health.
inline bool resume_record(const shm::HealthRecord& record, std::uint64_t tag,
                          std::uint64_t now_unix_ns, ProbeRecord& out) noexcept {
  out = {};
  const bool whole = shm::read_detail(record, tag, out.detail);
  if (!whole) {
    out.detail = {};
    out.detail.tag = tag;
    out.detail.since_unix_ns = now_unix_ns;
  }
  // The word decides; the detail is what people read.
  out.state.health = shm::health_of(record, tag);
  out.detail.health = static_cast<std::uint8_t>(out.state.health);
  out.state.successes_in_row = out.detail.successes_in_row;
  out.state.failures_in_row = out.detail.failures_in_row;
  out.detail.last_error[sizeof(out.detail.last_error) - 1] = '\0';
  return whole;
}

// Takes in one probe that ended now. True: the health has changed.
inline bool note_probe(const ProbeSettings& settings, const ProbeVerdict& verdict,
                       std::uint64_t now_unix_ns, ProbeRecord& out) noexcept {
  const bool slow = settings.slow_ms != 0 && verdict.latency_us > settings.slow_ms * 1000;
  const ProbeOutcome outcome = !verdict.success ? ProbeOutcome::kFailure
                               : slow           ? ProbeOutcome::kSlowSuccess
                                                : ProbeOutcome::kSuccess;
  const bool changed = take_outcome(settings.rules, outcome, out.state);
  shm::HealthDetail& detail = out.detail;
  if (changed) {
    detail.since_unix_ns = now_unix_ns;
  }
  detail.checked_unix_ns = now_unix_ns;
  ++detail.probes;
  detail.failures += verdict.success ? 0 : 1;
  detail.latency_us =
      verdict.latency_us < UINT32_MAX ? static_cast<std::uint32_t>(verdict.latency_us) : UINT32_MAX;
  detail.status = verdict.status;
  detail.health = static_cast<std::uint8_t>(out.state.health);
  detail.successes_in_row = out.state.successes_in_row;
  detail.failures_in_row = out.state.failures_in_row;
  std::memset(detail.last_error, 0, sizeof(detail.last_error));
  if (!verdict.success) {
    std::memcpy(detail.last_error, verdict.error, sizeof(detail.last_error) - 1);
  }
  return changed;
}

// How long a holder of the lease may be silent: one and a half of the shortest interval that is
// configured, but time enough for a busy machine to come round.
constexpr std::uint64_t lease_patience_ms(std::uint64_t shortest_interval_ms) noexcept {
  const std::uint64_t patience = shortest_interval_ms + shortest_interval_ms / 2;
  return patience < 500 ? 500 : patience;
}

}  // namespace bluegreen::core
