// What a client sends to open a preview, and what stands in a secret file: the file's reading, the
// comparison, the cookie that is found and taken out.
//
// Promised: only a whole secret matches; once every pair of the cookie's name has been taken out,
// none is left, and nothing of a secret stays behind the header's new end.
#include <string>
#include <string_view>

#include "ngx_module/core/preview.hpp"
#include "ngx_module/core/secret.hpp"
#include "tests/fuzz/patches.hpp"

using namespace bluegreen;
using namespace bluegreen::fuzz;

namespace {

constexpr std::string_view kSecret = "0123456789abcdef0123456789ABCDEF";

void cut_all(std::string header) {
  std::size_t size = header.size();
  core::CookiePair pair;
  // Each pair has at least its name and "=".
  for (std::size_t pairs = 0; core::find_cookie({header.data(), size}, "preview", 0, pair);
       ++pairs) {
    expect(pair.begin < pair.end && pair.end <= size && pairs <= header.size());
    expect(pair.value.data() >= header.data() &&
           pair.value.data() + pair.value.size() <= header.data() + size);
    const std::size_t left = core::cut_cookie(header.data(), size, pair);
    expect(left < size);
    for (std::size_t i = left; i < size; ++i) {
      expect(header[i] == '\0');
    }
    size = left;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  core::Secrets secrets;
  expect(secrets.load(kSecret) == nullptr && secrets.match(kSecret));
  expect(secrets.match(text) == (text == kSecret));
  cut_all(std::string(text));

  core::Secrets other;
  const bool usable = other.load(text) == nullptr;
  expect(usable == other.any() && other.count() <= 2);
  const std::size_t end = text.find('\n');
  std::string_view line = text.substr(0, end);
  if (usable) {
    while (!line.empty() && line.back() == '\r') {
      line.remove_suffix(1);
    }
    expect(other.match(line));
    expect(other.count() == 2 || !other.match(line.substr(1)));  // which can be the second line
  } else {
    expect(!other.match(kSecret) && !other.match(text));
  }
  return 0;
}
