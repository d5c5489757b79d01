// Sinks for a place that is not a terminal: few timestamped lines, or NDJSON.
//
// PlainSink shows a step's beginning and end, and progress only when its text changed and not more
// than once a second. NdjsonSink writes every event as one line (see verdict.hpp for the fields).
// Both escape what a terminal would obey. They never fail; see Writer.
#pragma once

#include <chrono>
#include <string>

#include "controller/output/event.hpp"
#include "controller/output/writer.hpp"

namespace bluegreen {

class PlainSink : public EventSink {
 public:
  explicit PlainSink(Writer& to) : to_(to) {}
  void emit(const Event& event) override;

 private:
  Writer& to_;
  std::string last_text_;
  std::chrono::system_clock::time_point last_progress_{};
};

class NdjsonSink : public EventSink {
 public:
  explicit NdjsonSink(Writer& to) : to_(to) {}
  void emit(const Event& event) override;

 private:
  Writer& to_;
};

// Gives each event to both.
class TeeSink : public EventSink {
 public:
  TeeSink(EventSink& first, EventSink& second) : first_(first), second_(second) {}
  void emit(const Event& event) override {
    first_.emit(event);
    second_.emit(event);
  }

 private:
  EventSink& first_;
  EventSink& second_;
};

}  // namespace bluegreen
