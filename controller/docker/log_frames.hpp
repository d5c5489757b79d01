// Takes the frames off a container's log: without a terminal the Engine sends stdout and stderr
// interleaved, each piece behind 8 bytes (stream 0 to 2, three zeros, length big-endian). Pure.
#pragma once

#include <string>
#include <string_view>

namespace bluegreen {

// The text of both streams in order. A stream that is cut inside a frame gives what is there; one
// that has no frames (a container with a terminal) is returned as it is.
std::string without_frames(std::string_view stream);

}  // namespace bluegreen
