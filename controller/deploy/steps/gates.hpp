// Between probed and flip: what has to be well, and who has to agree, before a user gets the new
// release. See step.hpp for who calls them.
#pragma once

#include "controller/deploy/step.hpp"

namespace bluegreen {

// The configured requests, sent to the new color through NGINX's preview route, one after the
// other; the first that is not answered as expected fails the step. Nothing is tried again, with
// one exception: while not every NGINX worker has attached to this control file, one that has not
// knows no new table, and its answer proves nothing.
// Not in a rollback to a color that still runs: it has served before, and it is in a hurry.
class SmokeStep : public Step {
 public:
  std::string plan(const Deploy& deploy) const override;
  bool applies(const Deploy& deploy) const override;
  Result<void> run(Deploy& deploy) const override;
};

// `--pause-before flip`: waits for `bgctl promote`. Ends by an abort, at its time limit, and when
// the new color is no longer what was checked: each of them undoes the deploy.
class GateStep : public Step {
 public:
  std::string plan(const Deploy& deploy) const override;
  bool applies(const Deploy& deploy) const override;
  Result<void> run(Deploy& deploy) const override;
};

}  // namespace bluegreen
