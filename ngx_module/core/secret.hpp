// The secrets that open a preview: what stands in a secret file, and the comparison.
//
// The file has one line, or two while a secret is being replaced (old and new, in any order); an
// end of line at the end counts for nothing. A secret has 32 to 512 bytes, each of them one that a
// header and a cookie can carry. Anything else in the file turns the preview off: half a file must
// not open the door.
//
// Read by the master and once a second by a worker's timer; compared on the request path. One
// thread. The comparison's time depends on what the client sent, never on the secret.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace bluegreen::core {

inline constexpr std::size_t kMinSecret = 32;
inline constexpr std::size_t kMaxSecret = 512;
// Two secrets with "\r\n" behind each.
inline constexpr std::size_t kMaxSecretFile = 2 * (kMaxSecret + 2);

class Secrets {
 public:
  // nullptr, or why the preview is off now (then no value matches).
  const char* load(std::string_view file) noexcept {
    clear();
    const char* const fault = read(file);
    if (fault != nullptr) {
      clear();
    }
    return fault;
  }

  void clear() noexcept {
    // Not memset: the compiler may drop stores that nobody reads.
    volatile unsigned char* const bytes = reinterpret_cast<unsigned char*>(list_);
    for (std::size_t i = 0; i < sizeof(list_); ++i) {
      bytes[i] = 0;
    }
    count_ = 0;
  }

  bool any() const noexcept { return count_ != 0; }
  std::size_t count() const noexcept { return count_; }

  // Every secret is compared, to its end, whatever has matched before.
  bool match(std::string_view value) const noexcept {
    if (value.size() < kMinSecret || value.size() > kMaxSecret) {
      return false;
    }
    bool found = false;
    for (std::size_t i = 0; i < count_; ++i) {
      const bool same = equal(list_[i], value);
      found = found | same;
    }
    return found;
  }

 private:
  struct Secret {
    std::size_t size;
    unsigned char bytes[kMaxSecret];  // zeroes behind `size`
  };

  static bool equal(const Secret& secret, std::string_view value) noexcept {
    volatile std::size_t difference = secret.size ^ value.size();
    for (std::size_t i = 0; i < value.size(); ++i) {
      difference = difference | (secret.bytes[i] ^ static_cast<unsigned char>(value[i]));
    }
    return difference == 0;
  }

  static bool is_clean(std::string_view line) noexcept {
    for (const char c : line) {
      if (c <= ' ' || c >= 0x7F || c == ';' || c == ',' || c == '"' || c == '\\') {
        return false;
      }
    }
    return true;
  }

  const char* read(std::string_view file) noexcept {
    while (!file.empty() && (file.back() == '\n' || file.back() == '\r')) {
      file.remove_suffix(1);
    }
    if (file.empty()) {
      return "it is empty";
    }
    for (;;) {
      const std::size_t end = file.find('\n');
      std::string_view line = file.substr(0, end);
      if (!line.empty() && line.back() == '\r') {
        line.remove_suffix(1);
      }
      if (line.size() < kMinSecret) {
        return "a secret in it has less than 32 bytes";
      }
      if (line.size() > kMaxSecret) {
        return "a secret in it has more than 512 bytes";
      }
      if (!is_clean(line)) {
        return "a secret in it has a character that a header or a cookie cannot carry";
      }
      if (count_ == 2) {
        return "it has more than two lines";
      }
      Secret& secret = list_[count_++];
      secret.size = line.size();
      std::memcpy(secret.bytes, line.data(), line.size());
      if (end == std::string_view::npos) {
        return nullptr;
      }
      file.remove_prefix(end + 1);
    }
  }

  Secret list_[2] = {};
  std::size_t count_ = 0;
};

}  // namespace bluegreen::core
