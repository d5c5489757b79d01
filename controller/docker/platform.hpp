// Whether an image can run on an Engine's machine: its operating system, architecture and variant
// against the Engine's. Pure but for emulation, which is asked of this host's kernel. Called after
// a pull and before anything is started: a wrong one would end as "exec format error".
#pragma once

#include <string>

namespace bluegreen {

// In Docker's words: "linux", "amd64", "" or "v8". Empty: not known.
struct Platform {
  std::string os;
  std::string architecture;
  std::string variant;
};

// "linux/arm/v7".
std::string text_of(const Platform& platform);

// What an Engine says of itself: /info's Architecture is the kernel's word ("x86_64", "armv7l").
Platform engine_platform(const std::string& os, const std::string& kernel_architecture);

// A machine runs older variants of its architecture (arm/v6 on v7), 32-bit images where its
// processors do (386 on amd64, arm on arm64), and what is not known is not refused. Variants of
// amd64 (v2, v3, v4) are left to the image: the Engine does not say which it has.
bool can_run(const Platform& engine, const Platform& image);

// Whether this host's kernel hands programs of `architecture` to an emulator (binfmt_misc, qemu).
bool is_emulated(const std::string& architecture,
                 const std::string& folder = "/proc/sys/fs/binfmt_misc");

}  // namespace bluegreen
