// The samples of one metric in Prometheus' text format: name, labels, value, a line each.
//
// Label values may come from anybody: escaped, and what is not printable ASCII is shown as '?'.
// Called by render_prometheus, in a worker; no allocation, no failure but the writer's overflow.
#pragma once

#include <cstdint>
#include <string_view>

#include "ngx_module/core/bounded_writer.hpp"
#include "ngx_module/core/traffic.hpp"

namespace bluegreen::core {

inline void render_label_value(BoundedWriter& out, std::string_view value) noexcept {
  out.put('"');
  for (const char c : out.plain(value)) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.put('\\');
      out.put(c);
    } else if (c == '\n') {
      out.text("\\n");
    } else {
      out.put(byte >= 0x20 && byte < 0x7F ? c : '?');
    }
  }
  out.put('"');
}

struct Label {
  std::string_view name;
  std::string_view value;
};

// Writes the samples of one metric.
class Samples {
 public:
  Samples(BoundedWriter& out, std::string_view name) noexcept : out_(out), name_(name) {}

  template <typename... Labels>
  void add(std::uint64_t value, const Labels&... labels) noexcept {
    begin(labels...);
    out_.number(value);
    out_.put('\n');
  }
  // `value` is in units of 10^-digits.
  template <typename... Labels>
  void add_decimal(std::uint64_t value, std::uint32_t digits, const Labels&... labels) noexcept {
    begin(labels...);
    decimal(out_, value, digits);
    out_.put('\n');
  }
  template <typename... Labels>
  void add_histogram(const Latency& latency, const Labels&... labels) noexcept {
    const std::string_view family = name_;
    char text[64];
    const auto member = [&](std::string_view suffix) noexcept {
      BoundedWriter full(text, sizeof(text));
      full.text(family);
      full.text(suffix);
      name_ = {text, full.needed()};
    };
    member("_bucket");
    for (std::uint32_t i = 0; i < kEdges; ++i) {
      char edge[32];
      BoundedWriter seconds(edge, sizeof(edge));
      decimal(seconds, std::uint64_t{1} << (kFirstEdge + i), 6);
      add(latency.below[i], labels..., Label{"le", {edge, seconds.needed()}});
    }
    add(latency.count, labels..., Label{"le", "+Inf"});
    member("_sum");
    add_decimal(latency.sum_us, 6, labels...);
    member("_count");
    add(latency.count, labels...);
    name_ = family;
  }

 private:
  static void decimal(BoundedWriter& out, std::uint64_t value, std::uint32_t digits) noexcept {
    std::uint64_t unit = 1;
    for (std::uint32_t i = 0; i < digits; ++i) {
      unit *= 10;
    }
    out.number(value / unit);
    out.put('.');
    for (unit /= 10; unit != 0; unit /= 10) {
      out.put(static_cast<char>('0' + value / unit % 10));
    }
  }
  template <typename... Labels>
  void begin(const Labels&... labels) noexcept {
    out_.text(name_);
    char before = '{';
    (label(before, labels), ...);
    out_.text(before == '{' ? " " : "} ");
  }
  void label(char& before, const Label& label) noexcept {
    out_.put(before);
    before = ',';
    out_.text(label.name);
    out_.put('=');
    render_label_value(out_, label.value);
  }

  BoundedWriter& out_;
  std::string_view name_;
};

}  // namespace bluegreen::core
