// What the static libstdc++ and libgcc of the build host want from its newer glibc, done with what
// glibc 2.34 has. Linked into bgctl itself, so that these are found before glibc's own; hidden, so
// that a library that is loaded later (libcurl) goes on using glibc's.
//
// Called by std::random_device and by the unwinder when an exception is thrown; any thread.
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <sys/random.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>

// Since 2.36. Ends the process when the kernel has no randomness, which it always has after boot.
extern "C" __attribute__((visibility("hidden"))) std::uint32_t arc4random() noexcept {
  std::uint32_t value = 0;
  while (::getrandom(&value, sizeof(value), 0) != static_cast<ssize_t>(sizeof(value))) {
    if (errno != EINTR) {
      std::abort();
    }
  }
  return value;
}

#ifdef DLFO_STRUCT_HAS_EH_DBASE

namespace {

struct Search {
  std::uintptr_t address;
  dl_find_object* result;
};

// For dl_iterate_phdr: 1 when this object contains the address and has unwind tables.
int look_at_object(dl_phdr_info* info, std::size_t /*size*/, void* data) noexcept {
  const auto* search = static_cast<const Search*>(data);
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
  std::uintptr_t eh_frame = 0;
  for (unsigned i = 0; i < info->dlpi_phnum; ++i) {
    const auto& header = info->dlpi_phdr[i];
    const std::uintptr_t from = info->dlpi_addr + header.p_vaddr;
    if (header.p_type == PT_LOAD && search->address >= from &&
        search->address - from < header.p_memsz) {
      begin = from;
      end = from + header.p_memsz;
    } else if (header.p_type == PT_GNU_EH_FRAME) {
      eh_frame = from;
    }
  }
  if (end == 0 || eh_frame == 0) {
    return 0;
  }
  *search->result = {};
  search->result->dlfo_map_start = reinterpret_cast<void*>(begin);
  search->result->dlfo_map_end = reinterpret_cast<void*>(end);
  search->result->dlfo_eh_frame = reinterpret_cast<void*>(eh_frame);
  return 1;
}

}  // namespace

// Since 2.35; the unwinder has no other way to find a frame when it was built against that. It
// reads the range and the unwind table's address, and nothing else of the result.
extern "C" __attribute__((visibility("hidden"))) int _dl_find_object(
    void* address, dl_find_object* result) noexcept {
  Search search{reinterpret_cast<std::uintptr_t>(address), result};
  return ::dl_iterate_phdr(look_at_object, &search) == 1 ? 0 : -1;
}

#endif
