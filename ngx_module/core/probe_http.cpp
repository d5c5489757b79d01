// The parser and the writer of probe_http.hpp. Called by the prober, one thread.
#include "ngx_module/core/probe_http.hpp"

#include <cstring>

#include "ngx_module/core/bounded_writer.hpp"
#include "ngx_module/core/letters.hpp"

namespace bluegreen::core {

namespace {

bool has_word(std::string_view list, std::string_view lowered) noexcept {
  for (;;) {
    const std::size_t comma = list.find(',');
    if (same_word(trimmed(list.substr(0, comma)), lowered)) {
      return true;
    }
    if (comma == std::string_view::npos) {
      return false;
    }
    list.remove_prefix(comma + 1);
  }
}

// The value of a hexadecimal digit; 16 for anything else.
unsigned hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') {
    return static_cast<unsigned>(c - '0');
  }
  const char letter = lower(c);
  return letter >= 'a' && letter <= 'f' ? static_cast<unsigned>(letter - 'a') + 10 : 16;
}

}  // namespace

std::size_t write_probe_request(const ProbeSettings& settings, std::string_view authority,
                                char* out, std::size_t size) noexcept {
  BoundedWriter request(out, size);
  request.text(name_of(settings.method));
  request.text(" ");
  request.text(settings.uri);
  request.text(" HTTP/1.1\r\nHost: ");
  request.text(settings.host.empty() ? authority : settings.host);
  request.text("\r\nUser-Agent: bluegreen-probe\r\n");
  if (!settings.keepalive) {
    request.text("Connection: close\r\n");
  }
  if (settings.method == ProbeMethod::kPost) {
    request.text("Content-Length: 0\r\n");
  }
  for (std::size_t i = 0; i < settings.header_count; ++i) {
    request.text(settings.headers[i]);
    request.text("\r\n");
  }
  request.text("\r\n");
  return request.overflowed() ? 0 : request.needed();
}

ProbeAnswer::State ProbeAnswer::fail(const char* error) noexcept {
  error_ = error;
  state_ = State::kFailed;
  return state_;
}

ProbeAnswer::State ProbeAnswer::complete() noexcept {
  state_ = State::kComplete;
  return state_;
}

ProbeAnswer::State ProbeAnswer::feed(std::string_view bytes) noexcept {
  std::size_t at = 0;
  while (state_ == State::kMore && at < bytes.size()) {
    const bool in_body =
        part_ == Part::kLengthBody || part_ == Part::kBodyUntilClose || part_ == Part::kChunkData;
    if (in_body) {
      at += take_body(bytes.substr(at));
    } else {
      take_line_byte(bytes[at++]);
    }
  }
  leftover_ = leftover_ || at < bytes.size();
  return state_;
}

ProbeAnswer::State ProbeAnswer::close() noexcept {
  if (state_ != State::kMore) {
    keep_alive_ = false;
    return state_;
  }
  keep_alive_ = false;
  if (part_ == Part::kBodyUntilClose) {
    return complete();
  }
  if (part_ == Part::kStatusLine && header_bytes_ == 0) {
    return fail("closed the connection without an answer");
  }
  return fail(part_ == Part::kStatusLine || part_ == Part::kHeaders
                  ? "closed the connection in the middle of its headers"
                  : "closed the connection in the middle of its body");
}

void ProbeAnswer::take_line_byte(char c) noexcept {
  ++line_bytes_;
  const bool headers =
      part_ == Part::kStatusLine || part_ == Part::kHeaders || part_ == Part::kTrailers;
  if (headers && ++header_bytes_ > kMostHeaderBytes) {
    fail("more than 32 KB of headers");
    return;
  }
  if (!headers && line_bytes_ > kLongestChunkLine) {
    fail("a chunk's size of more than 256 bytes");
    return;
  }
  if (c == '\n') {
    if (line_size_ != 0 && line_[line_size_ - 1] == '\r' && line_bytes_ == line_size_ + 1) {
      --line_size_;
    }
    take_line();
    line_size_ = 0;
    line_bytes_ = 0;
    return;
  }
  if (line_size_ < kLongestLine) {
    line_[line_size_++] = c;
  }
  // Garbage without an end of line is told at once, not at the limit.
  static constexpr std::string_view kStart = "HTTP/1.";
  if (part_ == Part::kStatusLine && line_bytes_ <= kStart.size() && c != kStart[line_bytes_ - 1]) {
    fail("not an HTTP/1 answer");
  }
}

void ProbeAnswer::take_line() noexcept {
  const std::string_view line(line_, line_size_);
  switch (part_) {
    case Part::kStatusLine:
      take_status_line(line);
      break;
    case Part::kHeaders:
      line.empty() ? end_headers() : take_header(line);
      break;
    case Part::kChunkSize:
      take_chunk_size(line);
      break;
    case Part::kChunkEnd:
      part_ = Part::kChunkSize;
      if (!line.empty()) {
        fail("a chunk that is longer than its size");
      }
      break;
    case Part::kTrailers:
      if (line.empty()) {
        complete();
      }
      break;
    case Part::kLengthBody:
    case Part::kBodyUntilClose:
    case Part::kChunkData:
      break;
  }
}

// HTTP/1.x NNN, and a space with a text, or nothing.
void ProbeAnswer::take_status_line(std::string_view line) noexcept {
  static constexpr std::size_t kCodeAt = 9;
  if (line.size() < kCodeAt + 3 || (line[7] != '0' && line[7] != '1') || line[8] != ' ' ||
      (line.size() > kCodeAt + 3 && line[kCodeAt + 3] != ' ')) {
    fail("not an HTTP/1 answer");
    return;
  }
  status_ = 0;
  for (const char c : line.substr(kCodeAt, 3)) {
    if (c < '0' || c > '9') {
      fail("a status that is no number");
      return;
    }
    status_ = status_ * 10 + static_cast<std::uint32_t>(c - '0');
  }
  keep_alive_ = line[7] == '1';
  has_length_ = false;
  chunked_ = false;
  part_ = Part::kHeaders;
  if (status_ < 100 || status_ > 599) {
    fail("a status that is not from 100 to 599");
  }
}

void ProbeAnswer::take_header(std::string_view line) noexcept {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) {
    // The name of a header that is longer than what is kept of it is of no interest.
    if (line_bytes_ <= kLongestLine) {
      fail("a header without a colon");
    }
    return;
  }
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = trimmed(line.substr(colon + 1));
  const bool length = same_word(name, "content-length");
  const bool coding = same_word(name, "transfer-encoding");
  const bool connection = same_word(name, "connection");
  if ((length || coding || connection) && line_bytes_ > kLongestLine) {
    fail("a header that frames the answer of more than 256 bytes");
    return;
  }
  if (length) {
    take_length(value);
  } else if (coding) {
    if (chunked_ || !same_word(value, "chunked")) {
      fail("a transfer-encoding that is not chunked");
    }
    chunked_ = true;
  } else if (connection) {
    keep_alive_ = !has_word(value, "close") && (keep_alive_ || has_word(value, "keep-alive"));
  }
}

void ProbeAnswer::take_length(std::string_view value) noexcept {
  std::uint64_t length = 0;
  for (const char c : value) {
    if (c < '0' || c > '9' || length > UINT64_MAX / 16) {
      fail("a content-length that is no number");
      return;
    }
    length = length * 10 + static_cast<std::uint64_t>(c - '0');
  }
  if (value.empty() || (has_length_ && length != length_)) {
    fail(value.empty() ? "a content-length that is no number" : "two different content-lengths");
    return;
  }
  has_length_ = true;
  length_ = length;
}

void ProbeAnswer::end_headers() noexcept {
  if (status_ < 200 && status_ != 101) {
    part_ = Part::kStatusLine;  // an interim answer; the one that counts follows
    return;
  }
  if (status_ == 101) {
    keep_alive_ = false;
    complete();
    return;
  }
  if (chunked_ && has_length_) {
    keep_alive_ = false;  // one of the two lies
  }
  if (head_request_ || status_ == 204 || status_ == 304) {
    complete();
  } else if (chunked_) {
    part_ = Part::kChunkSize;
  } else if (has_length_) {
    left_ = length_;
    part_ = Part::kLengthBody;
    if (left_ == 0) {
      complete();
    }
  } else {
    keep_alive_ = false;
    part_ = Part::kBodyUntilClose;
  }
}

void ProbeAnswer::take_chunk_size(std::string_view line) noexcept {
  std::uint64_t size = 0;
  std::size_t digits = 0;
  while (digits < line.size() && hex_digit(line[digits]) < 16) {
    if (size > UINT64_MAX / 256) {
      fail("a chunk's size that is no number");
      return;
    }
    size = size * 16 + hex_digit(line[digits++]);
  }
  const std::string_view rest = trimmed(line.substr(digits));
  if (digits == 0 || (!rest.empty() && rest.front() != ';')) {
    fail("a chunk's size that is no number");
    return;
  }
  left_ = size;
  part_ = size == 0 ? Part::kTrailers : Part::kChunkData;
}

// How many of the bytes were the body's.
std::size_t ProbeAnswer::take_body(std::string_view bytes) noexcept {
  std::uint64_t taken = bytes.size();
  if (part_ != Part::kBodyUntilClose && left_ < taken) {
    taken = left_;
  }
  if (kMostBodyBytes - body_bytes_ < taken) {
    taken = kMostBodyBytes - body_bytes_;
  }
  const auto count = static_cast<std::size_t>(taken);
  if (window_ != nullptr) {
    std::memcpy(window_ + kept_, bytes.data(), count);
    kept_ += count;
  }
  body_bytes_ += taken;
  left_ -= part_ == Part::kBodyUntilClose ? 0 : taken;
  if (part_ != Part::kBodyUntilClose && left_ == 0) {
    if (part_ == Part::kLengthBody) {
      complete();
      return count;
    }
    part_ = Part::kChunkEnd;
  }
  if (body_bytes_ == kMostBodyBytes) {
    cut_ = true;
    complete();
  }
  return count;
}

}  // namespace bluegreen::core
