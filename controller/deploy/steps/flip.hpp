// The flip, and the time after it in which it is still taken back at once. See step.hpp.
#pragma once

#include "controller/deploy/step.hpp"

namespace bluegreen {

class FlipStep : public Step {
 public:
  std::string plan(const Deploy& deploy) const override;
  Result<void> run(Deploy& deploy) const override;
  // Back to the old color first; then whoever is on the new one may finish, within the drain's
  // time, because the next undo takes it away.
  Result<void> undo(Deploy& deploy) const override;
  // Present: the control region says that the new color is active.
  Result<Presence> observe(Deploy& deploy) const override;
};

// The new color has to stay what it was at the flip: the same instances, alive, not unhealthy; and
// its traffic is judged against what the old one's was before the flip.
class SoakStep : public Step {
 public:
  std::string plan(const Deploy& deploy) const override;
  bool applies(const Deploy& deploy) const override;
  Result<void> run(Deploy& deploy) const override;
};

// Why the new color is not what it was at the flip; empty when it is.
std::string what_has_changed(Deploy& deploy);

}  // namespace bluegreen
