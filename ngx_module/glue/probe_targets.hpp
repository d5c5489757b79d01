// The endpoints that the holder of the prober's lease probes: a target each, with its timer, its
// run and what is known of it, in a group for each color of each application with a
// `bluegreen_probe`.
//
// Targets are made when the lease was taken or a table is another one, and end with either. Each
// verdict goes into the endpoint's record, and a changed health into events and the error log,
// unless the lease turns out to be lost: then everything is let go of.
//
// Worker, one thread; of prober.cpp, which owns the Prober. Memory is the cycle's, got once by the
// workers that have held the lease.
#pragma once

#include "ngx_module/glue/probe_run.hpp"
#include "ngx_module/glue/upstream.hpp"

namespace bluegreen::glue {

struct Target;

// One application's color, as its table was when the targets were made.
struct TargetGroup {
  const Probe* probe = nullptr;
  shm::Color color = shm::Color::kBlue;
  std::uint32_t count = 0;
  std::uint32_t crc = 0;
  std::uint64_t generation = 0;
  bool made = false;
  Target* targets = nullptr;  // kMaxEndpoints of them
};

struct Prober {
  MainConf* conf = nullptr;
  OwnTimer timer{};
  std::uint64_t patience_ns = 0;
  shm::LeaseHolder own;
  shm::ProberLease* lease = nullptr;  // nullptr: not the holder
  TargetGroup* groups = nullptr;
  ngx_uint_t count = 0;
  bool said_cannot = false;
};

// Whether the lease is still this worker's, in the file that is mapped now. Renews it.
bool holds_lease(Prober& prober) noexcept;

// False without memory.
bool make_groups(Prober& prober) noexcept;
// Of tables that are other ones now, the targets are made anew. False: the lease is lost.
bool follow_tables(Prober& prober) noexcept;
void drop_targets(Prober& prober) noexcept;

}  // namespace bluegreen::glue
