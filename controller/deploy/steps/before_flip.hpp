// The steps before the traffic moves: whatever fails in them, the old color serves on and the
// idle one is taken away. See step.hpp for who calls them.
#pragma once

#include "controller/deploy/step.hpp"

namespace bluegreen {

// The region still says what the plan was made from.
class IdentifyStep : public Step {
 public:
  std::string plan(const Deploy& deploy) const override;
  Result<void> run(Deploy& deploy) const override;
};

// Not before a rollback to a color that still runs: nothing is started there, and it is in a hurry.
class PreflightStep : public Step {
 public:
  std::string plan(const Deploy& deploy) const override;
  bool applies(const Deploy& deploy) const override;
  Result<void> run(Deploy& deploy) const override;
};

// Has the image here and pins it; what is pinned is what runs and what is recorded.
class PullStep : public Step {
 public:
  std::string plan(const Deploy& deploy) const override;
  bool applies(const Deploy& deploy) const override;
  Result<void> run(Deploy& deploy) const override;
};

// Sees that nobody is on the idle color before it is replaced: it may have been left running for a
// rollback, by a crash, or with a share of the traffic.
class ClearStep : public Step {
 public:
  std::string plan(const Deploy& deploy) const override;
  bool applies(const Deploy& deploy) const override;
  Result<void> run(Deploy& deploy) const override;
};

class StartStep : public Step {
 public:
  std::string plan(const Deploy& deploy) const override;
  bool applies(const Deploy& deploy) const override;
  Result<void> run(Deploy& deploy) const override;
  Result<void> undo(Deploy& deploy) const override;
  Result<Presence> observe(Deploy& deploy) const override;
};

class HealthyStep : public Step {
 public:
  std::string plan(const Deploy& deploy) const override;
  bool applies(const Deploy& deploy) const override;
  Result<void> run(Deploy& deploy) const override;
};

// Addresses and release go into the idle color's table: NGINX knows the color, nobody is sent to
// it.
class PublishStep : public Step {
 public:
  std::string plan(const Deploy& deploy) const override;
  Result<void> run(Deploy& deploy) const override;
  Result<void> undo(Deploy& deploy) const override;
  Result<Presence> observe(Deploy& deploy) const override;
};

}  // namespace bluegreen
