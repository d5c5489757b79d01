// See the header.
#include "controller/docker/platform.hpp"

#include <array>
#include <cstdlib>
#include <string_view>

#include "controller/host/atomic_file.hpp"

namespace bluegreen {
namespace {

struct Word {
  std::string_view kernel;
  std::string_view docker;
  std::string_view variant;
};

constexpr std::array kWords{
    Word{"x86_64", "amd64", ""},        Word{"amd64", "amd64", ""},  Word{"aarch64", "arm64", "v8"},
    Word{"arm64", "arm64", "v8"},       Word{"armv7l", "arm", "v7"}, Word{"armv6l", "arm", "v6"},
    Word{"armv5tel", "arm", "v5"},      Word{"i386", "386", ""},     Word{"i686", "386", ""},
    Word{"ppc64le", "ppc64le", ""},     Word{"s390x", "s390x", ""},  Word{"riscv64", "riscv64", ""},
    Word{"loongarch64", "loong64", ""},
};

// "v7" -> 7; 0 when there is none.
int number_of(const std::string& variant) {
  return variant.starts_with('v') ? std::atoi(variant.c_str() + 1) : 0;
}

// What an image without a variant was built for.
int variant_of_image(const Platform& image) {
  const int found = number_of(image.variant);
  return found != 0 ? found : image.architecture == "arm" ? 7 : 0;
}

}  // namespace

std::string text_of(const Platform& platform) {
  return platform.os + "/" + platform.architecture +
         (platform.variant.empty() ? "" : "/" + platform.variant);
}

Platform engine_platform(const std::string& os, const std::string& kernel_architecture) {
  for (const Word& word : kWords) {
    if (word.kernel == kernel_architecture) {
      return {os, std::string(word.docker), std::string(word.variant)};
    }
  }
  return {os, kernel_architecture, {}};
}

bool can_run(const Platform& engine, const Platform& image) {
  if (engine.os.empty() || image.os.empty() || engine.architecture.empty() ||
      image.architecture.empty()) {
    return true;
  }
  if (engine.os != image.os) {
    return false;
  }
  if (engine.architecture == image.architecture) {
    // arm64/v9 does not start on v8; arm64's own default is v8 on both sides.
    return engine.variant.empty() || variant_of_image(image) <= number_of(engine.variant);
  }
  return (engine.architecture == "amd64" && image.architecture == "386") ||
         (engine.architecture == "arm64" && image.architecture == "arm");
}

bool is_emulated(const std::string& architecture, const std::string& folder) {
  const auto enabled = [&folder](std::string_view name) {
    const auto text = read_file(folder + "/qemu-" + std::string(name));
    return text && *text && (*text)->starts_with("enabled");
  };
  for (const Word& word : kWords) {
    if (word.docker == architecture && enabled(word.kernel)) {
      return true;
    }
  }
  return architecture == "arm" && enabled("arm");  // qemu has one word for all of them
}

}  // namespace bluegreen
