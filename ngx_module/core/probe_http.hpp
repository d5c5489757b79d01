// A probe in HTTP/1.1: the request that is sent, and the answer, taken in piece by piece.
//
// The answer comes from a backend that may be broken or hostile. What is kept of it is a line of
// kLongestLine bytes and, when the caller wants to look into the body, a window of the caller's,
// never more, whatever comes. Limits, each with its own error:
//   kMostHeaderBytes   status line and headers, with those of interim answers (1xx)
//   kMostBodyBytes     of the body are read; then the answer counts as complete, `cut` is true,
//                      and the connection cannot serve another probe
//   kLongestChunkLine  a chunk's size with its extensions
//
// Called by the prober, one thread. No NGINX, no memory of its own, no clock: the time-out is the
// caller's. Fails by error(), a constant text for people.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "ngx_module/core/probe_settings.hpp"

namespace bluegreen::core {

inline constexpr std::size_t kLongestLine = 256;
inline constexpr std::size_t kMostHeaderBytes = 32768;
inline constexpr std::uint64_t kMostBodyBytes = 65536;
// Of these, what a pattern is looked for in: the time that takes may grow with the square.
inline constexpr std::uint64_t kMostPatternBytes = 4096;
inline constexpr std::size_t kLongestChunkLine = 256;

// Enough for every request that probe settings can say.
inline constexpr std::size_t kLongestProbeRequest = 12288;

// Writes the request; `authority` is for Host when the settings have none. Returns its size, 0
// when it does not fit.
std::size_t write_probe_request(const ProbeSettings& settings, std::string_view authority,
                                char* out, std::size_t size) noexcept;

class ProbeAnswer {
 public:
  enum class State : std::uint8_t { kMore, kComplete, kFailed };

  // `window`: where the body's first bytes are kept; nullptr when nobody looks at them. At least
  // kMostBodyBytes long.
  explicit ProbeAnswer(bool head_request, char* window = nullptr) noexcept
      : window_(window), head_request_(head_request) {}

  // The next bytes. Nothing is taken in once the state is not kMore.
  State feed(std::string_view bytes) noexcept;

  // The backend has closed its side.
  State close() noexcept;

  State state() const noexcept { return state_; }
  const char* error() const noexcept { return error_; }  // of kFailed
  std::uint32_t status() const noexcept { return status_; }
  bool cut() const noexcept { return cut_; }
  std::string_view body() const noexcept {
    return window_ != nullptr ? std::string_view(window_, kept_) : std::string_view();
  }

  // Of kComplete: another probe may be sent over the same connection.
  bool reusable() const noexcept { return keep_alive_ && !cut_ && !leftover_; }

 private:
  enum class Part : std::uint8_t {
    kStatusLine,
    kHeaders,
    kLengthBody,
    kBodyUntilClose,
    kChunkSize,
    kChunkData,
    kChunkEnd,
    kTrailers,
  };

  State fail(const char* error) noexcept;
  State complete() noexcept;
  void take_line_byte(char c) noexcept;
  void take_line() noexcept;
  void take_status_line(std::string_view line) noexcept;
  void take_header(std::string_view line) noexcept;
  void take_length(std::string_view value) noexcept;
  void end_headers() noexcept;
  void take_chunk_size(std::string_view line) noexcept;
  std::size_t take_body(std::string_view bytes) noexcept;

  char* window_;
  const char* error_ = nullptr;
  std::uint64_t length_ = 0;      // content-length
  std::uint64_t left_ = 0;        // of the body, or of the chunk
  std::uint64_t body_bytes_ = 0;  // read so far
  std::size_t kept_ = 0;
  std::size_t header_bytes_ = 0;
  std::size_t line_size_ = 0;   // kept in line_
  std::size_t line_bytes_ = 0;  // of the line, kept or not
  std::uint32_t status_ = 0;
  State state_ = State::kMore;
  Part part_ = Part::kStatusLine;
  bool head_request_;
  bool has_length_ = false;
  bool chunked_ = false;
  bool keep_alive_ = false;
  bool cut_ = false;
  bool leftover_ = false;
  char line_[kLongestLine];
};

}  // namespace bluegreen::core
