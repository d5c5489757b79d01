// The weighted split without a key: which of a sequence of clients is the next one of green.
//
// Errors are accumulated, so of any n in a row green gets its share to within one, whatever the
// share was before: 1 % of 10,000 is 100, and with several workers each adds less than one. It is
// not a coin, and it begins in the middle, so that a small share shows early.
//
// One a worker and application; one thread. Cannot fail.
#pragma once

#include "ngx_module/core/choose.hpp"

namespace bluegreen::core {

class Split {
 public:
  // The position of the next client: the lowest when it is green's, else the highest.
  Position next(std::uint16_t green_share) noexcept {
    error_ += green_share;
    if (error_ >= shm::kMaxWeight) {
      error_ -= shm::kMaxWeight;
      return 0;
    }
    return shm::kMaxWeight - 1;
  }

 private:
  std::uint32_t error_ = shm::kMaxWeight / 2;
};

}  // namespace bluegreen::core
