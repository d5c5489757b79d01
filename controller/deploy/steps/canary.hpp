// The progressive shift: the new color gets its share of the traffic, stage by stage, and is
// watched. See step.hpp, and docs/canary.md for what users are told.
//
// Without stages (and before a soak) it only notes how the old color serves, because after the flip
// nobody can see that any more. A rollback takes no share: it goes back as fast as it can.
#pragma once

#include "controller/deploy/step.hpp"

namespace bluegreen {

class CanaryStep : public Step {
 public:
  std::string plan(const Deploy& deploy) const override;
  bool applies(const Deploy& deploy) const override;
  // A verdict against the new color takes its share away before anything else is done.
  Result<void> run(Deploy& deploy) const override;
  Result<void> undo(Deploy& deploy) const override;
  // Present: the color that is not active has a share.
  Result<Presence> observe(Deploy& deploy) const override;
};

}  // namespace bluegreen
