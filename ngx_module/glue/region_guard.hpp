// Survives a region file that shrinks under its mapping.
//
// Touching a mapped page beyond the end of the file raises SIGBUS, which would kill the worker. The
// handler recognises addresses inside our mappings, puts private zero pages over the whole range
// (a zero word is invalid, so the last accepted one holds; writes to telemetry go nowhere), and
// sets the range's `lost` flag; the timer maps the file again when it is whole. Addresses that are
// not ours go to whatever handler there was before.
//
// Process-wide, in workers only, installed at init_process. The handler calls mmap and nothing
// else that could block or allocate.
#pragma once

#include <csignal>
#include <cstddef>

namespace bluegreen::glue {

// Installs the handler; again is harmless. False with errno when the kernel refuses.
bool install_region_guard() noexcept;

// `lost` must live until forget. False when the table of ranges is full: the range is unguarded.
bool guard_region(void* base, std::size_t size, volatile std::sig_atomic_t* lost) noexcept;
void forget_region(const void* base) noexcept;

}  // namespace bluegreen::glue
