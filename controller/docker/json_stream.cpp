// See the header. Braces are counted outside strings; whether the object is good JSON its reader
// finds out.
#include "controller/docker/json_stream.hpp"

namespace bluegreen {
namespace {

constexpr std::size_t kLongest = 1U << 20;

}  // namespace

std::vector<std::string> JsonStream::feed(std::string_view chunk) {
  std::vector<std::string> out;
  for (const char c : chunk) {
    if (broken_) {
      break;
    }
    take(c, out);
  }
  return out;
}

void JsonStream::take(char c, std::vector<std::string>& out) {
  if (depth_ == 0) {
    if (c == '{') {
      depth_ = 1;
      object_ = c;
    } else {
      broken_ = c != ' ' && c != '\n' && c != '\r' && c != '\t';
    }
    return;
  }
  object_.push_back(c);
  broken_ = object_.size() > kLongest;
  if (in_string_) {
    in_string_ = escaped_ || c != '"';
    escaped_ = !escaped_ && c == '\\';
  } else if (c == '"') {
    in_string_ = true;
  } else if (c == '{') {
    ++depth_;
  } else if (c == '}' && --depth_ == 0) {
    out.push_back(std::move(object_));
    object_.clear();
  }
}

}  // namespace bluegreen
