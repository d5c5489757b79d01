// Folds the Engine's hundreds of progress objects into few lines: "3 of 5 layers, 12 of 45 MB".
// One object a pull; the caller shows what `feed` returns. Pure but for the clock that it is given.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "controller/ports/runtime.hpp"

namespace bluegreen {

class PullProgress {
 public:
  // One status object of a layer: `total` 0 when the Engine does not say. A line when something
  // worth one has happened: a quarter of the layers, or a few seconds.
  std::optional<std::string> feed(const std::string& layer, const std::string& status,
                                  std::uint64_t current, std::uint64_t total,
                                  std::chrono::steady_clock::time_point now);
  // Whether a view wants the bars anew: some times a second, not at each of the Engine's objects.
  bool bars_are_due(std::chrono::steady_clock::time_point now);
  // The layers that are not here yet, in the order in which the Engine named them.
  [[nodiscard]] PullDetails bars() const;

 private:
  struct Layer {
    std::string status;
    std::uint64_t current = 0;
    std::uint64_t total = 0;
    bool done = false;
  };
  [[nodiscard]] std::string line() const;

  std::map<std::string, Layer> layers_;
  std::vector<std::string> order_;
  std::chrono::steady_clock::time_point bars_at_{};
  std::size_t done_ = 0;
  std::size_t shown_quarter_ = 0;
  std::chrono::steady_clock::time_point shown_at_{};
};

}  // namespace bluegreen
