// The event sink of a trace folder, see trace.hpp. The only file that sees spdlog.
#include <fcntl.h>
#include <unistd.h>

#include "controller/host/trace.hpp"
#include "controller/output/printable.hpp"
#include "controller/output/verdict.hpp"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/spdlog.h>

namespace bluegreen {
namespace {

class TraceEvents : public EventSink {
 public:
  explicit TraceEvents(const std::string& folder)
      : events_(::open((folder + "/events.ndjson").c_str(),
                       O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644)) {
    try {
      auto sink = std::make_shared<spdlog::sinks::basic_file_sink_st>(folder + "/log");
      log_ = std::make_shared<spdlog::logger>("deploy", std::move(sink));
      log_->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
      log_->flush_on(spdlog::level::info);
      log_->set_error_handler([](const std::string&) {});  // a full disk is the journal's to tell
    } catch (const std::exception&) {
      log_.reset();
    }
  }

  void emit(const Event& event) override {
    const std::string line = event_to_json(event) + "\n";
    // One write, so that a follower sees whole lines; a lost one is a lost line of progress.
    [[maybe_unused]] const ssize_t size = ::write(events_.get(), line.data(), line.size());
    const bool only_figures = event.state == StepState::kProgress && event.text.empty();
    if (!log_ || only_figures) {
      return;
    }
    const auto level = event.state == StepState::kFailed ? spdlog::level::err : spdlog::level::info;
    const std::string took =
        event.took.count() > 0 ? " (" + readable(event.took) + ")" : std::string();
    log_->log(level, "{} {}{} {}", event.step.empty() ? "-" : event.step, word_of(event.state),
              took, printable(event.text));
  }

 private:
  shm::UniqueFd events_;
  std::shared_ptr<spdlog::logger> log_;
};

}  // namespace

std::unique_ptr<EventSink> trace_events(const std::string& folder) {
  return std::make_unique<TraceEvents>(folder);
}

}  // namespace bluegreen
