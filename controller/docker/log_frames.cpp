// See the header.
#include "controller/docker/log_frames.hpp"

#include <cstdint>

namespace bluegreen {
namespace {

constexpr std::size_t kHeader = 8;

bool is_header(std::string_view stream) {
  return stream.size() >= kHeader && static_cast<unsigned char>(stream[0]) <= 2 && stream[1] == 0 &&
         stream[2] == 0 && stream[3] == 0;
}

}  // namespace

std::string without_frames(std::string_view stream) {
  if (!is_header(stream)) {
    return std::string(stream);
  }
  std::string out;
  while (is_header(stream)) {
    std::uint32_t size = 0;
    for (std::size_t i = 4; i < kHeader; ++i) {
      size = size << 8U | static_cast<unsigned char>(stream[i]);
    }
    stream.remove_prefix(kHeader);
    out.append(stream.substr(0, size));
    stream.remove_prefix(stream.size() < size ? stream.size() : size);
  }
  return out;
}

}  // namespace bluegreen
