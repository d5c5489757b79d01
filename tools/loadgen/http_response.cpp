// See http_response.hpp.
#include "tools/loadgen/http_response.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace bluegreen::loadgen {

namespace {

constexpr std::size_t kMaxHead = 65536;  // NGINX's own upstream limit is far below
constexpr std::size_t kMaxLine = 8192;   // a chunk's size line or a trailer

bool same_word(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) ==
           std::tolower(static_cast<unsigned char>(y));
  });
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
    text.remove_prefix(1);
  }
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
    text.remove_suffix(1);
  }
  return text;
}

// Whether a comma-separated list contains the word.
bool lists(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    if (same_word(trimmed(list.substr(0, comma)), word)) {
      return true;
    }
    if (comma == std::string_view::npos) {
      break;
    }
    list.remove_prefix(comma + 1);
  }
  return false;
}

}  // namespace

void HttpResponse::reset(bool head_request) {
  step_ = Step::kHead;
  state_ = State::kMore;
  began_ = false;
  head_request_ = head_request;
  keep_alive_ = false;
  chunked_ = false;
  has_length_ = false;
  status_ = 0;
  left_ = 0;
  text_.clear();
  color_.clear();
  release_.clear();
}

HttpResponse::State HttpResponse::feed(std::string_view bytes, std::size_t& consumed) {
  consumed = 0;
  began_ = began_ || !bytes.empty();
  bool good = state_ != State::kMalformed;
  while (good && state_ == State::kMore && consumed < bytes.size()) {
    const std::string_view rest = bytes.substr(consumed);
    std::size_t took = 0;
    switch (step_) {
      case Step::kHead:
        good = feed_head(rest, took);
        break;
      case Step::kLength:
      case Step::kChunkData:
        took = static_cast<std::size_t>(std::min<std::uint64_t>(left_, rest.size()));
        left_ -= took;
        if (left_ == 0) {
          step_ = step_ == Step::kLength ? Step::kEnd : Step::kChunkEnd;
        }
        break;
      case Step::kUntilClose:
        took = rest.size();
        break;
      case Step::kChunkSize:
      case Step::kChunkEnd:
      case Step::kTrailer:
        good = feed_line(rest, took);
        break;
      case Step::kEnd:
        break;
    }
    consumed += took;
    if (step_ == Step::kEnd) {
      state_ = State::kDone;
    }
  }
  if (!good) {
    state_ = State::kMalformed;
  }
  return state_;
}

HttpResponse::State HttpResponse::finish() {
  if (state_ == State::kMore) {
    state_ = step_ == Step::kUntilClose ? State::kDone : State::kMalformed;
  }
  keep_alive_ = false;
  return state_;
}

bool HttpResponse::feed_head(std::string_view bytes, std::size_t& consumed) {
  const std::size_t before = text_.size();
  text_.append(bytes);
  const std::size_t end = text_.find("\r\n\r\n", before < 3 ? 0 : before - 3);
  if (end == std::string::npos) {
    consumed = bytes.size();
    return text_.size() <= kMaxHead;
  }
  text_.resize(end + 2);
  consumed = end + 4 - before;
  return end <= kMaxHead && parse_head();
}

bool HttpResponse::parse_head() {
  keep_alive_ = true;
  chunked_ = false;
  has_length_ = false;
  std::string_view head = text_;
  bool first = true;
  while (!head.empty()) {
    const std::size_t end = head.find("\r\n");
    const std::string_view line = head.substr(0, end);
    if (!(first ? parse_status_line(line) : parse_field(line))) {
      return false;
    }
    first = false;
    head.remove_prefix(end + 2);
  }
  text_.clear();
  return begin_body();
}

bool HttpResponse::parse_status_line(std::string_view line) {
  if (line.size() < 12 || line.substr(0, 7) != "HTTP/1." || line[8] != ' ') {
    return false;
  }
  if (line[7] != '0' && line[7] != '1') {
    return false;
  }
  keep_alive_ = line[7] == '1';
  const auto parsed = std::from_chars(line.data() + 9, line.data() + 12, status_);
  return parsed.ec == std::errc() && parsed.ptr == line.data() + 12 && status_ >= 100 &&
         (line.size() == 12 || line[12] == ' ');
}

bool HttpResponse::parse_field(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) {
    return false;
  }
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = trimmed(line.substr(colon + 1));
  if (same_word(name, "Content-Length")) {
    std::uint64_t length = 0;
    const auto parsed = std::from_chars(value.data(), value.data() + value.size(), length);
    if (value.empty() || parsed.ec != std::errc() || parsed.ptr != value.data() + value.size() ||
        (has_length_ && length != left_)) {
      return false;
    }
    has_length_ = true;
    left_ = length;
  } else if (same_word(name, "Transfer-Encoding")) {
    if (!same_word(value, "chunked")) {
      return false;
    }
    chunked_ = true;
  } else if (same_word(name, "Connection")) {
    if (lists(value, "close")) {
      keep_alive_ = false;
    } else if (lists(value, "keep-alive")) {
      keep_alive_ = true;
    }
  } else if (same_word(name, "X-Color")) {
    color_ = value;
  } else if (same_word(name, "X-Release")) {
    release_ = value;
  }
  return true;
}

bool HttpResponse::begin_body() {
  if (status_ < 200 && status_ != 101) {
    step_ = Step::kHead;  // 100 Continue and the like: the real one follows
    return true;
  }
  if (chunked_ && has_length_) {
    return false;  // two ends: smuggling, or a broken server
  }
  if (head_request_ || status_ == 101 || status_ == 204 || status_ == 304) {
    keep_alive_ = keep_alive_ && status_ != 101;
    step_ = Step::kEnd;
  } else if (chunked_) {
    step_ = Step::kChunkSize;
  } else if (has_length_) {
    step_ = left_ == 0 ? Step::kEnd : Step::kLength;
  } else {
    keep_alive_ = false;
    step_ = Step::kUntilClose;
  }
  return true;
}

// Collects a line into text_, without its CRLF; `complete` when it has ended.
bool HttpResponse::take_line(std::string_view bytes, std::size_t& consumed, bool& complete) {
  const std::size_t end = bytes.find('\n');
  complete = end != std::string_view::npos;
  consumed = complete ? end + 1 : bytes.size();
  text_.append(bytes.substr(0, consumed));
  if (!complete) {
    return text_.size() <= kMaxLine;
  }
  if (text_.size() < 2 || text_[text_.size() - 2] != '\r') {
    return false;
  }
  text_.resize(text_.size() - 2);
  return true;
}

bool HttpResponse::feed_line(std::string_view bytes, std::size_t& consumed) {
  bool complete = false;
  if (!take_line(bytes, consumed, complete)) {
    return false;
  }
  if (!complete) {
    return true;
  }
  bool good = true;
  if (step_ == Step::kChunkSize) {
    good = parse_chunk_size();
  } else if (step_ == Step::kChunkEnd) {
    good = text_.empty();
    step_ = Step::kChunkSize;
  } else if (text_.empty()) {
    step_ = Step::kEnd;
  }
  text_.clear();
  return good;
}

bool HttpResponse::parse_chunk_size() {
  const std::string_view line = std::string_view(text_).substr(0, text_.find(';'));
  const std::string_view digits = trimmed(line);
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), left_, 16);
  if (digits.empty() || parsed.ec != std::errc() || parsed.ptr != digits.data() + digits.size()) {
    return false;
  }
  step_ = left_ == 0 ? Step::kTrailer : Step::kChunkData;
  return true;
}

}  // namespace bluegreen::loadgen
