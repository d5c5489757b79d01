// The steps of `bgctl contract`. See contract.hpp for what it is, step.hpp for who calls them.
#pragma once

#include "controller/deploy/step.hpp"

namespace bluegreen {

// Nothing of the old release runs any more.
class OldGoneStep : public Step {
 public:
  std::string plan(const Deploy& deploy) const override;
  Result<void> run(Deploy& deploy) const override;
};

// The mark, the command, the mark again. What the command has done cannot be taken back.
class ContractStep : public Step {
 public:
  std::string plan(const Deploy& deploy) const override;
  Result<void> run(Deploy& deploy) const override;
  Result<void> undo(Deploy& deploy) const override;
};

}  // namespace bluegreen
