// Which images run where.
#include "controller/docker/platform.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace bluegreen {
namespace {

TEST_CASE("Image runs on its own platform, on a newer variant and where 32 bits do") {
  struct Row {
    const char* kernel;
    Platform image;
    bool runs;
  };
  for (const Row& row : {
           Row{"x86_64", {"linux", "amd64", ""}, true},
           Row{"x86_64", {"linux", "amd64", "v3"}, true},
           Row{"x86_64", {"linux", "386", ""}, true},
           Row{"x86_64", {"linux", "arm64", "v8"}, false},
           Row{"x86_64", {"windows", "amd64", ""}, false},
           Row{"aarch64", {"linux", "arm64", ""}, true},
           Row{"aarch64", {"linux", "arm64", "v8"}, true},
           Row{"aarch64", {"linux", "arm64", "v9"}, false},
           Row{"aarch64", {"linux", "arm", "v7"}, true},
           Row{"aarch64", {"linux", "amd64", ""}, false},
           Row{"armv7l", {"linux", "arm", "v6"}, true},
           Row{"armv7l", {"linux", "arm", ""}, true},
           Row{"armv6l", {"linux", "arm", "v7"}, false},
           Row{"armv6l", {"linux", "arm", ""}, false},
           Row{"riscv64", {"linux", "riscv64", ""}, true},
           Row{"somewhat", {"linux", "amd64", ""}, false},
           Row{"", {"linux", "amd64", ""}, true},
           Row{"x86_64", {"", "", ""}, true},
       }) {
    INFO(row.kernel << " runs " << text_of(row.image));
    CHECK(can_run(engine_platform("linux", row.kernel), row.image) == row.runs);
  }
}

TEST_CASE("Emulator counts when the kernel has it enabled") {
  std::string folder = "/tmp/platform-test-XXXXXX";
  REQUIRE(::mkdtemp(folder.data()) != nullptr);
  std::ofstream(folder + "/qemu-aarch64") << "enabled\ninterpreter /usr/bin/qemu\n";
  std::ofstream(folder + "/qemu-s390x") << "disabled\n";
  CHECK(is_emulated("arm64", folder));
  CHECK_FALSE(is_emulated("s390x", folder));
  CHECK_FALSE(is_emulated("arm", folder));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace bluegreen
