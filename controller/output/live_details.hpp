// An event's figures as lines of the live view, below the step that they belong to: a pull's bars,
// health, the traffic's split, what a drain waits for.
//
// Pure. The lines are not yet made harmless, nor cut: lay_out does both, as for every other line;
// `width` only says how long a bar may be. Called by live_view.cpp.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "controller/output/event_details.hpp"

namespace bluegreen {

// Layers that get a bar of their own; the others are counted.
inline constexpr std::size_t kMostBars = 4;

// `since`: how old the figures are, for what runs on by itself.
std::vector<std::string> detail_lines(const EventDetails& details, std::chrono::milliseconds since,
                                      std::size_t width, bool utf8);

}  // namespace bluegreen
