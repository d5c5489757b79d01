// The steps after the new color serves for good: nothing that fails in them moves traffic back, it
// makes the end an 80 with the reason. See step.hpp.
#pragma once

#include "controller/deploy/step.hpp"

namespace bluegreen {

// Closes the old color and waits until it is proven empty. Facts: "drained" is "exact" or why not.
class DrainStep : public Step {
 public:
  std::string plan(const Deploy& deploy) const override;
  Result<void> run(Deploy& deploy) const override;
};

// Stops the old color, or leaves it for keep_old (Deploy::leftover).
class StopStep : public Step {
 public:
  std::string plan(const Deploy& deploy) const override;
  bool applies(const Deploy& deploy) const override;
  Result<void> run(Deploy& deploy) const override;
};

// The marker of the last image. Pruning old images (keep_releases) belongs here too.
class FinishStep : public Step {
 public:
  std::string plan(const Deploy& deploy) const override;
  Result<void> run(Deploy& deploy) const override;
};

}  // namespace bluegreen
